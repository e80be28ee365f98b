import { Handle, Position, useNodeId } from "@xyflow/react";
import { useFits } from "./fitting";

interface SocketHandleProps {
  type: "source" | "target";
  id: string;
  className?: string;
}

/** Where links begin or end; it lights up while a link is drawn that it takes. */
export function SocketHandle({ type, id, className = "socket" }: SocketHandleProps) {
  const lit = useFits(useNodeId() ?? "", id);
  return (
    <Handle
      type={type}
      position={type === "source" ? Position.Right : Position.Left}
      id={id}
      className={lit ? `${className} socket-fits` : className}
    />
  );
}
