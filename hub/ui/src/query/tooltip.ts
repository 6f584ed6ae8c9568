/** The box beside the pointer: the time and the nearest series. Text nodes only; label values come from strangers. */
import { formatSi } from '../logic/format.ts'
import { formatLabelName, type LabelSet, quote, splitLabels } from '../logic/labels.ts'

export type TooltipItem = {
  readonly labels: LabelSet
  readonly value: number
  readonly color: string
}

export type Tooltip = {
  /** `left` and `top` of the pointer in `over`, CSS pixels; the nearest item first. */
  show(
    at: { readonly left: number; readonly top: number },
    time: string,
    items: readonly TooltipItem[],
    more: number,
    common: LabelSet,
  ): void
  hide(): void
}

const OFFSET = 14

export function createTooltip(over: HTMLElement): Tooltip {
  const box = element('div', 'tooltip')
  box.setAttribute('aria-hidden', 'true')
  box.hidden = true
  over.append(box)
  return {
    show(at, time, items, more, common) {
      const [first, ...rest] = items
      box.replaceChildren(element('div', 'tooltip-time', time))
      if (first)
        box.append(
          row(first, 'tooltip-first', splitLabels(first.labels).name || shortName(first.labels, common)),
          labelList(first.labels),
        )
      for (const item of rest) box.append(row(item, 'tooltip-row', shortName(item.labels, common)))
      if (more > 0) box.append(element('div', 'tooltip-more', `and ${more} more`))
      box.hidden = false
      const { width, height } = box.getBoundingClientRect()
      const left = at.left + OFFSET + width > over.clientWidth ? at.left - OFFSET - width : at.left + OFFSET
      const top = Math.min(Math.max(0, at.top - height / 2), Math.max(0, over.clientHeight - height))
      box.style.transform = `translate(${Math.round(Math.max(left, -60))}px, ${Math.round(top)}px)`
    },
    hide() {
      box.hidden = true
    },
  }
}

function row({ value, color }: TooltipItem, className: string, name: string): HTMLElement {
  const line = element('div', className)
  const swatch = element('span', 'tooltip-swatch')
  swatch.style.backgroundColor = color
  line.append(swatch, element('span', 'tooltip-name', name), element('span', 'tooltip-value', formatSi(value, 6)))
  return line
}

function labelList(labels: LabelSet): HTMLElement {
  const list = element('div', 'tooltip-labels')
  for (const { name, value } of splitLabels(labels).rest)
    list.append(element('div', '', `${formatLabelName(name)}=${quote(value)}`))
  return list
}

/** What tells it apart at a glance: the values of labels that not all share. */
function shortName(labels: LabelSet, common: LabelSet): string {
  const { name, rest } = splitLabels(labels)
  const own = rest.filter((part) => common[part.name] === undefined)
  return own.length > 0 ? own.map((part) => part.value).join(' · ') : name || 'value'
}

function element(tag: string, className: string, text?: string): HTMLElement {
  const node = document.createElement(tag)
  if (className !== '') node.className = className
  if (text !== undefined) node.textContent = text
  return node
}
