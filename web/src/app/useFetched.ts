import { useEffect, useState } from "react";
import { useUi } from "../stores/ui";
import { wordsOf } from "./run";

/** What is fetched once the page is there; without it the page is still of use. */
export function useFetched<T>(fetch: () => Promise<T>, before: T): T {
  const [fetched, setFetched] = useState(before);
  useEffect(() => {
    let over = false;
    fetch()
      .then((found) => !over && setFetched(found))
      .catch((error) => useUi.getState().announce(wordsOf(error)));
    return () => {
      over = true;
    };
  }, [fetch]);
  return fetched;
}
