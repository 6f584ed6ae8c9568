/** A series in the page: metric name, then its labels, as text nodes only. */
import { formatLabelName, type LabelSet, quote, splitLabels } from '../logic/labels.ts'

export function SeriesName({ labels, hide }: { readonly labels: LabelSet; readonly hide?: LabelSet }) {
  const { name, rest } = splitLabels(labels)
  const shown = hide ? rest.filter((part) => hide[part.name] === undefined) : rest
  if (name === '' && rest.length === 0) return <span class="series">{'{}'}</span>
  return (
    <span class="series">
      {name !== '' && <span class="series-metric">{name}</span>}
      {shown.length > 0 && (
        <>
          <span class="series-brace">{'{'}</span>
          {shown.map((part, index) => (
            <span key={part.name}>
              {index > 0 && ', '}
              <span class="series-label">{formatLabelName(part.name)}</span>=
              <span class="series-value">{quote(part.value)}</span>
            </span>
          ))}
          <span class="series-brace">{'}'}</span>
        </>
      )}
      {name === '' && shown.length === 0 && '{…}'}
    </span>
  )
}
