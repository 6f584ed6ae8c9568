/** The system's C library by koffi. Loaded at the first use: it costs several megabytes. */
import { createRequire } from 'node:module'
import { KernelError } from '../../protocol/env/mod.ts'

type Koffi = typeof import('koffi')

/** A function of the library by its declaration in C; the caller says what type that is. */
export type Declare = (declaration: string) => never

/** @throws KernelError `UNAVAILABLE` where there is no such library, or no koffi for this machine */
export function bindLibc<T>(bind: (declare: Declare, koffi: Koffi) => T): T {
  try {
    if (process.platform !== 'linux') throw new Error(`Linux expected, this is ${process.platform}`)
    const koffi = createRequire(import.meta.url)('koffi') as Koffi
    const lib = openLibc(koffi)
    return bind((declaration) => lib.func(declaration) as never, koffi)
  } catch (error) {
    const problem = `Cannot call the system's C library: ${(error as Error).message}`
    throw new KernelError('UNAVAILABLE', problem, { cause: error })
  }
}

/** Of glibc, or of musl. */
export function openLibc(koffi: Koffi): ReturnType<Koffi['load']> {
  try {
    return koffi.load('libc.so.6')
  } catch {
    return koffi.load(`libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`)
  }
}
