/** Patterns of file names. Semantics: Go path/filepath, Glob. */
import { directoryOf, joinPath } from './paths.ts'

type Folders = { readDirectory(path: string): string[] }

const MAGIC = /[*?[\\]/

/**
 * Paths that match, folder by folder; a plain path is given back as it is, whether it is there or not.
 * @throws Error for a pattern that is none
 */
export function expandGlob(pattern: string, files: Folders): string[] {
  if (!MAGIC.test(pattern)) return [pattern]
  const directory = directoryOf(pattern)
  const regex = regexOf(pattern.slice(pattern.lastIndexOf('/') + 1))
  return expandGlob(directory, files).flatMap((folder) =>
    namesIn(folder, files)
      .filter((name) => regex.test(name))
      .map((name) => joinPath(folder, name)),
  )
}

function namesIn(folder: string, files: Folders): readonly string[] {
  try {
    return files.readDirectory(folder)
  } catch {
    return []
  }
}

function regexOf(part: string): RegExp {
  const source = part.replace(
    /\\(.)|\[(\^?)((?:\\.|[^\\\]])+)\]|([*?])|([[\\])|([.+^${}()|\]])/gs,
    (_, escaped?: string, not?: string, members?: string, star?: string, open?: string, literal?: string) => {
      if (open !== undefined) throw new Error('syntax error in pattern')
      if (star !== undefined) return star === '*' ? '.*' : '.'
      if (members !== undefined) return `[${not}${classOf(members)}]`
      return quoted(escaped ?? literal!)
    },
  )
  return new RegExp(`^${source}$`, 'su')
}

/** Ranges are of two characters, of which a hyphen is none unless a backslash is before it. */
function classOf(members: string): string {
  const ranges = /^(?:(?:\\.|[^\\-])(?:-(?:\\.|[^\\-]))?)+$/su
  if (!ranges.test(members)) throw new Error('syntax error in pattern')
  return members.replace(/\\(.)|([[\]^&|~])/gsu, (_, escaped?: string, literal?: string) => quoted(escaped ?? literal!))
}

const quoted = (char: string): string => char.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&')
