/** A remark of somebody at a line of a pull request's code. Its text and code are hostile, and redacted of known secrets. */
export interface LineRemark {
  id: number;
  /** The review it belongs to, and the commit that this is about. */
  review: number;
  commit: string;
  user: string;
  path: string;
  /** Counted from 1; 0 where the server names none. */
  line: number;
  /** Whether the line is one of the code before the change. */
  old: boolean;
  /** The piece of the change around the line, as the server keeps it; empty where it keeps none. */
  code: string;
  text: string;
  resolved: boolean;
  /** Ms since the epoch. */
  at: number;
}

/** A comment on the pull request itself. Its text is hostile, and redacted of known secrets. */
export interface PullComment {
  id: number;
  user: string;
  text: string;
}

/** What people said in one place of a pull request. */
export interface Thread {
  /** Stays the same between rounds: the agent names it in its answer. */
  id: string;
  path: string;
  line: number;
  old: boolean;
  /** The commit in which the line has this number. */
  commit: string;
  code: string;
  said: { user: string; text: string; own: boolean }[];
  /** Whether the last word is orch's own: it was answered in an earlier round. */
  answered: boolean;
}

/** A text of a review, or a comment on the pull request, that belongs to no line. */
export interface Word {
  id: string;
  user: string;
  text: string;
  /** Number of the review or comment, by which it is known that it was handed on. */
  number: number;
  from: 'review' | 'comment';
}

/** Everything that people who may write to the repository said on a pull request and did not resolve. */
export interface Feedback {
  threads: Thread[];
  words: Word[];
  /** What could not be read, one sentence each. */
  missing: string[];
}

/** A line of the code, as it was in a commit. */
export interface AnswerLine {
  path: string;
  line: number;
  old: boolean;
  commit: string;
}

/** A place that an agent's answer goes to. */
export interface AnswerPlace {
  id: string;
  /** Null: on the pull request itself. */
  at: AnswerLine | null;
  user: string;
  /** First words of what is answered. */
  quote: string;
  /** Whether something is said there also where the agent says nothing. */
  owed: boolean;
}
