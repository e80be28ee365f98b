/** Names of files as nodes have them: "deep/x.png" of the input folder, "x.png [output]" of another. */

/** A name, and the folder that it says itself. */
export const FOLDER_NAMED = /^(.*) \[(input|output|temp)\]$/s;

/** Whether a name says itself in which folder its file is. */
export const isElsewhere = (name: string): boolean => FOLDER_NAMED.test(name);

const plain = (name: unknown): string => String(name).replaceAll("\\", "/").toLowerCase();

/** Whether names that are listed have a file's. As for the service, folders are parted by either
 * stroke, and the case of letters counts only where names differ by nothing else. */
export function isListed(names: readonly unknown[], name: unknown): boolean {
  if (names.includes(name)) return true;
  return typeof name === "string" && names.filter((one) => plain(one) === plain(name)).length === 1;
}
