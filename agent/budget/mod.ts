/** What the way to the hub may cost, and what is given up for it: a pacer for what leaves, steps for what is made. */
export { Budget, type BudgetOptions } from './budget.ts'
