/** An input without a question: what to try, and the keys. */
const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['Enter', 'run'],
  ['Shift+Enter', 'new line'],
  ['Ctrl+Space', 'complete'],
  ['Ctrl+↑ Ctrl+↓', 'earlier expressions'],
]
const EXAMPLES: readonly string[] = ['up', 'sum by (job) (up)', 'topk(10, count by (__name__) ({__name__!=""}))']

export function Start({ onRun }: { readonly onRun: (expr: string) => void }) {
  return (
    <div class="empty">
      <p>Nothing asked yet. Type an expression, or try one:</p>
      <p class="examples">
        {EXAMPLES.map((expr) => (
          <button key={expr} type="button" onClick={() => onRun(expr)}>
            {expr}
          </button>
        ))}
      </p>
      <p class="keys">
        {KEYS.map(([keys, what]) => (
          <span key={keys}>
            <kbd>{keys}</kbd> {what}
          </span>
        ))}
      </p>
    </div>
  )
}
