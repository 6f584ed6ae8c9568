/**
 * Has the kernel map single pages of files. By itself it maps, around each page of a file that is touched, the sixteen
 * that lie there, as far as they are in its cache: of the 30 MB of Bun's code that an agent had mapped so, it used 6.
 * There is no switch for that, but the kernel refrains from it where writes are watched, and on pages that nobody writes
 * watching costs nothing: each first touch is a fault of its own. Reports of writes are neither asked for nor made
 * (`WP_ASYNC`, since Linux 6.7), so no fault ever waits for us.
 *
 * Semantics: userfaultfd(2), ioctl_userfaultfd(2); should_fault_around() in Linux mm/memory.c (6.18).
 */
import { KernelError } from '../../protocol/env/mod.ts'
import type { Mapping } from './elf-section.ts'
import { bindLibc } from './libc.ts'

const SYSCALL_USERFAULTFD: Readonly<Record<string, number>> = { x64: 323, arm64: 282 }
const O_CLOEXEC = 0o2000000
/** Faults of the kernel itself cannot be watched, and nobody needs a right to watch the others. */
const UFFD_USER_MODE_ONLY = 1
const UFFD_API = 0xaan
const UFFD_FEATURE_WP_ASYNC = 1n << 15n
const UFFDIO_API = 0xc018aa3f
const UFFDIO_REGISTER = 0xc020aa00
const UFFDIO_REGISTER_MODE_WP = 2n

type Libc = {
  readonly syscall: (number: number, flags: number) => number | bigint
  readonly close: (fd: number) => number
  readonly ioctl: (fd: number, request: number, argument: Uint8Array) => number
}

type Userfault = { readonly libc: Libc; readonly fd: number }

/** What the first attempt brought: who refuses once refuses for good. */
let opened: Userfault | KernelError | undefined

/**
 * From now on, for as long as the process lives; pages that are mapped already stay so.
 * @throws KernelError where the kernel is older, or does not let us
 */
export function mapSinglePages({ from, to }: Mapping): void {
  opened ??= openOnce()
  if (opened instanceof KernelError) throw opened
  call('UFFDIO_REGISTER', UFFDIO_REGISTER, [from, to - from, UFFDIO_REGISTER_MODE_WP, 0n], opened)
}

function openOnce(): Userfault | KernelError {
  try {
    return openUserfault(UFFD_FEATURE_WP_ASYNC)
  } catch (error) {
    if (error instanceof KernelError) return error
    throw error
  }
}

/**
 * Never closed once it is good: closing ends what was asked for.
 * @throws KernelError, and leaves nothing open: kernels before 6.7 give a descriptor and then refuse the feature
 */
export function openUserfault(features: bigint): Userfault {
  const number = SYSCALL_USERFAULTFD[process.arch]
  if (number === undefined) throw new KernelError('UNAVAILABLE', `No userfaultfd on ${process.arch}`)
  const libc = bindLibc(
    (fn): Libc => ({
      syscall: fn('long syscall(long number, int flags)'),
      close: fn('int close(int fd)'),
      ioctl: fn('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)'),
    }),
  )
  const fd = Number(libc.syscall(number, O_CLOEXEC | UFFD_USER_MODE_ONLY))
  if (fd < 0) throw new KernelError('UNAVAILABLE', 'The kernel refuses userfaultfd')
  try {
    call('UFFDIO_API', UFFDIO_API, [UFFD_API, features, 0n], { libc, fd })
  } catch (error) {
    libc.close(fd)
    throw error
  }
  return { libc, fd }
}

function call(name: string, request: number, fields: readonly bigint[], { libc, fd }: Userfault): void {
  const result = libc.ioctl(fd, request, new Uint8Array(BigUint64Array.from(fields).buffer))
  if (result < 0) throw new KernelError('UNAVAILABLE', `The kernel refuses ${name}`)
}
