import { type ContractFinding, idFinding, judgeLength, judgeSum } from "./judge-stream.js";
import { ErrorBody, excerpt, readShape, type Usage, WholeAnswer } from "./wire-shapes.js";

/** What came of a request for an answer in one piece. */
export interface AnswerRecord {
  readonly api: "chat" | "completions";
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  readonly problem: string | null;
  readonly requestId: string;
  readonly exactTokens: number | null;
}

export interface JudgedAnswer {
  readonly findings: readonly ContractFinding[];
  readonly usage: Usage | null;
}

const isJson = (contentType: string): boolean => /^application\/json\b/i.test(contentType);

export function judgeAnswer(record: AnswerRecord): JudgedAnswer {
  const { status, contentType, text, api } = record;
  const isGood = status === 200 && isJson(contentType) && record.problem === null;
  const head: ContractFinding = {
    check: "head",
    fault: isGood
      ? null
      : (record.problem ?? `status ${status}, content type ${contentType || "none"}: ${excerpt(text)}`),
    seen: `200 ${contentType}`,
  };
  if (!isGood) return { findings: [head], usage: null };
  const read = readShape(WholeAnswer, text);
  if ("fault" in read) {
    const fault = text.includes('"error"') ? `status 200 with an error body: ${excerpt(text)}` : read.fault;
    return { findings: [head, { check: "json", fault, seen: "" }], usage: null };
  }
  const answer = read.value;
  const reason = answer.choices[0]?.finish_reason ?? null;
  return {
    findings: [
      head,
      judgeForm(answer, api),
      judgeSum(answer.usage),
      ...(record.exactTokens === null
        ? []
        : [judgeLength({ asked: record.exactTokens, usage: answer.usage, reason })]),
      idFinding(answer.id, record),
    ],
    usage: answer.usage,
  };
}

function judgeForm({ choices }: WholeAnswer, api: AnswerRecord["api"]): ContractFinding {
  const [choice] = choices;
  const hasText = api === "chat" ? choice?.message != null : typeof choice?.text === "string";
  const fault =
    choice === undefined || choices.length > 1
      ? `${choices.length} choices, and one was asked for`
      : !hasText
        ? `the choice has no ${api === "chat" ? "message" : "text"}`
        : choice.finish_reason == null
          ? "the choice has no finish_reason"
          : null;
  return { check: "json", fault, seen: `one choice, ${choice?.finish_reason}` };
}

/** How a refusal must look. */
export interface WantedError {
  readonly check: string;
  readonly status: number;
  /** Of the error; any where it is absent. */
  readonly type?: string;
  /** One of these must be in its message. */
  readonly says?: readonly string[];
}

export function judgeError(
  { status, contentType, text, problem }: Pick<AnswerRecord, "status" | "contentType" | "text" | "problem">,
  wanted: WantedError,
): ContractFinding {
  const told = (fault: string | null, seen = ""): ContractFinding => ({ check: wanted.check, fault, seen });
  if (problem !== null) return told(problem);
  if (status !== wanted.status) return told(`status ${status}, and not ${wanted.status}: ${excerpt(text)}`);
  if (!isJson(contentType)) return told(`content type ${contentType || "none"}, and not application/json`);
  const read = readShape(ErrorBody, text);
  if ("fault" in read) return told(`the error body is not of its form: ${read.fault}`);
  const { error } = read.value;
  if (Number(error.code) !== status) return told(`status ${status}, and error.code ${error.code}`);
  if (wanted.type !== undefined && error.type !== wanted.type)
    return told(`error.type is ${error.type}, and not ${wanted.type}`);
  if (wanted.says !== undefined && !wanted.says.some((words) => error.message.includes(words)))
    return told(`the message names nothing of ${wanted.says.join(" or ")}: ${excerpt(error.message)}`);
  return told(null, `${status} ${error.type}: ${excerpt(error.message)}`);
}
