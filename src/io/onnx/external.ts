/**
 * Why a location of external data cannot be used, or undefined where it can: it must name a file in the model's own folder or
 * below it, on every platform. Whether links lead out of the folder is for whoever opens the file to see.
 */
export function locationProblem(location: string): string | undefined {
  if (location === '') return 'is empty';
  if (location.includes('\0')) return 'holds a NUL character';
  if (location.includes('\\')) return "holds a backslash; locations are written with '/'";
  if (location.startsWith('/')) return 'is an absolute path';
  if (/^[A-Za-z]:/.test(location)) return 'begins with a drive letter';
  if (location.split('/').includes('..')) return "leaves the model's folder";
  return undefined;
}
