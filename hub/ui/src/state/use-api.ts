/** One API answer as component state: loading, data, failure, and again on every change of its key. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiAnswer, ApiFailure } from '../api/client.ts'

export type Loaded<Data> = {
  /** The newest answer; kept while the next one loads. */
  readonly answer: ApiAnswer<Data> | null
  readonly failure: ApiFailure | null
  readonly isLoading: boolean
  readonly startedMs: number
  cancel(): void
}

/**
 * @param key what is asked; null asks nothing and shows nothing
 * @param tick another round of the same question: a running one is not disturbed by it
 */
export function useApi<Data>(
  key: string | null,
  tick: number,
  ask: (signal: AbortSignal) => Promise<ApiAnswer<Data>>,
): Loaded<Data> {
  const [answer, setAnswer] = useState<ApiAnswer<Data> | null>(null)
  const [failure, setFailure] = useState<ApiFailure | null>(null)
  const [startedMs, setStartedMs] = useState(0)
  const running = useRef<{ key: string; controller: AbortController } | null>(null)

  useEffect(() => {
    if (running.current?.key === key) return
    running.current?.controller.abort()
    running.current = null
    if (key === null) {
      setAnswer(null)
      setFailure(null)
      setStartedMs(0)
      return
    }
    const run = { key, controller: new AbortController() }
    running.current = run
    setStartedMs(performance.now())
    ask(run.controller.signal).then(
      (got) => {
        if (running.current !== run) return
        running.current = null
        setAnswer(got)
        setFailure(null)
        setStartedMs(0)
      },
      (error: unknown) => {
        if (running.current !== run) return
        running.current = null
        setStartedMs(0)
        if (run.controller.signal.aborted) setFailure(new ApiFailure('canceled', 'Canceled', 0))
        else if (error instanceof ApiFailure) {
          setFailure(error)
          setAnswer(null)
        } else setFailure(new ApiFailure('internal', `The answer could not be read: ${String(error)}`, 0))
      },
    )
  }, [key, tick])
  useEffect(() => () => running.current?.controller.abort(), [])

  return {
    answer,
    failure,
    isLoading: startedMs > 0,
    startedMs,
    cancel: () => running.current?.controller.abort(),
  }
}
