export * from "./checks.js";
export * from "./judge-answer.js";
export {
  type ContractFinding,
  type JudgedStream,
  judgeContinuous,
  judgeReturnedIds,
  judgeStream,
  judgeUtf8,
  type StreamRecord,
} from "./judge-stream.js";
export { excerpt } from "./wire-shapes.js";
