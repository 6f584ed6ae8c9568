import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { deleteLabels, keepLabels } from './labels.ts'

const anyName = fc.constantFrom<string>('__name__', 'a', 'b', 'c', 'd')

test('keepLabels() and deleteLabels() part the labels in two', () =>
  fc.assert(
    fc.property(fc.dictionary(anyName, fc.string({ minLength: 1 })), fc.uniqueArray(anyName), (all, names) => {
      const labels = labelsFrom(all)
      const isNamed = (name: string): boolean => names.includes(name)
      const part = (isKept: (name: string) => boolean) =>
        labelsFrom(Object.fromEntries(Object.entries(all).filter(([name]) => isKept(name))))
      assert.deepEqual([...keepLabels(labels, new Set(names))], [...part(isNamed)])
      assert.deepEqual([...deleteLabels(labels, new Set(names))], [...part((name) => !isNamed(name))])
    }),
  ))
