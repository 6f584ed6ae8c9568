export function directoryOf(file: string): string {
  const slash = file.lastIndexOf('/')
  return slash < 0 ? '.' : slash === 0 ? '/' : file.slice(0, slash)
}

/** A path as it stands in a file, relative to that file's directory. */
export function joinPath(directory: string, path: string): string {
  if (path.startsWith('/') || directory === '.') return path
  return directory.endsWith('/') ? `${directory}${path}` : `${directory}/${path}`
}
