import fc from "fast-check";

// The same examples in each run, so that a change is judged by what it changes; `EXAMPLES=7 npm test`
// draws others.
fc.configureGlobal({ seed: Number(process.env.EXAMPLES ?? 1) });
