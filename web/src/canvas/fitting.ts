/** Which sockets take the link that is being drawn. */

import { useStore } from "@xyflow/react";
import { useEffect } from "react";
import { create } from "zustand";
import { possibleLinks } from "../graph/fitting";
import { sheetOf } from "../graph/model";
import { catalogNow } from "../stores/catalog";
import { tabNow } from "../stores/documents";
import { inputKey, outputKey } from "./keys";
import { looseEnd } from "./linking";

const socketKey = (node: string, id: string): string => `${node}\n${id}`;
const NONE: ReadonlySet<string> = new Set();

/** Sockets that the link in the air may go to, by node and socket. */
const useFitting = create<{ sockets: ReadonlySet<string> }>()(() => ({ sockets: NONE }));

/** Whether a socket takes the link that is drawn now. */
export const useFits = (node: string, id: string): boolean =>
  useFitting(({ sockets }) => sockets.has(socketKey(node, id)));

/** Marks the sockets that take a link for as long as one is drawn; whether one is. */
export function useLinking(): boolean {
  const node = useStore(({ connection }) => connection.fromHandle?.nodeId);
  const id = useStore(({ connection }) => connection.fromHandle?.id);
  useEffect(() => {
    const key = node !== undefined && id ? { node, id } : undefined;
    useFitting.setState({ sockets: key ? fittingNow(key.node, key.id) : NONE });
    return () => useFitting.setState({ sockets: NONE });
  }, [node, id]);
  return node !== undefined;
}

function fittingNow(nodeId: string, id: string): ReadonlySet<string> {
  const tab = tabNow();
  const loose = tab && looseEnd(tab, { nodeId, id });
  if (!loose) return NONE;
  const workflow = tab.history.present;
  const links = possibleLinks(workflow, sheetOf(workflow, tab.sheet), catalogNow(), loose);
  const keys = links.map(({ from, slot, to, input }) =>
    loose.side === "output" ? socketKey(to, inputKey(input)) : socketKey(from, outputKey(slot)),
  );
  return new Set(keys);
}
