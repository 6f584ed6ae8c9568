import type { QueryTask } from './contract.ts'

/** Characters of the texts that a task holds. */
export function charsOf(task: QueryTask): number {
  if ('query' in task) return task.query.length
  return 'matches' in task ? task.matches.reduce((sum, { length }) => sum + length, 0) : 0
}
