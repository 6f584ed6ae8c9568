/** A number with a bar for its share of a whole. */

/** Of the longest bar. */
const BAR_PX = 90

type Props = {
  /** 0 to 1. */
  readonly share: number
  readonly text: string
  readonly isOwn?: boolean
}

export function Measure({ share, text, isOwn = false }: Props) {
  return (
    <div class={isOwn ? 'measure own' : 'measure'}>
      <span class="measure-bar" style={{ width: `${(share * BAR_PX).toFixed(1)}px` }} />
      <span class="measure-text">{text}</span>
    </div>
  )
}
