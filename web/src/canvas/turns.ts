/** Nodes are drawn in full one after the other, so that no frame waits for many of them. */

import { createContext } from "react";
import { flushSync } from "react-dom";

/** So many nodes at once are drawn in full without a wait. */
const AT_ONCE = 24;
/** Of a frame. */
const MILLISECONDS = 8;
/** So long after the sheet moved it stands still: a node drawn before would make a frame late. */
export const REST = 100;

/** Who comes next to be drawn. */
export class Turns {
  private readonly waiting = new Set<() => void>();
  private granted = 0;
  private last = 0;
  private frame = 0;
  private after: (() => void) | undefined;

  /** Whether a node that appears now may be drawn in full at once. */
  take(): boolean {
    this.next();
    if (this.moves() || this.granted >= AT_ONCE) return false;
    this.granted += 1;
    return true;
  }

  /** Calls back when it is a node's turn; the returned function withdraws. */
  wait(turn: () => void): () => void {
    this.waiting.add(turn);
    this.next();
    return () => this.waiting.delete(turn);
  }

  /** Calls back when nobody waits any more, once; the returned function withdraws. */
  done(call: () => void): () => void {
    this.after = call;
    this.next();
    return () => {
      if (this.after === call) this.after = undefined;
    };
  }

  /** Tells that the sheet was moved: what comes into sight waits until it rests. */
  moved(): void {
    this.last = performance.now();
  }

  private moves(): boolean {
    return performance.now() - this.last < REST;
  }

  private next(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.granted = 0;
      const began = performance.now();
      for (const turn of this.moves() ? [] : this.waiting) {
        this.waiting.delete(turn);
        flushSync(turn);
        if (performance.now() - began > MILLISECONDS) break;
      }
      if (this.waiting.size > 0 || this.moves()) return this.next();
      this.after?.();
      this.after = undefined;
    });
  }
}

/** The turns of the nodes on this sheet. */
export const TurnsOfSheet = createContext(new Turns());
