/**
 * Questions under way: who was asked, who has answered. A question ends when all have, or at its deadline, which is short
 * for other nodes: a node that does not answer is named and not waited for.
 */
import { randomBytes } from 'node:crypto';
import { SpushError } from '../../../shared/base/errors.js';
import { type Answers, type QuestionName, questionSchemas } from '../../../shared/protocol/questions.js';
import type { BusIdentity } from '../bus-identity.js';
import { type Member, memberName } from './members.js';

/** Answers from other processes are awaited so long at most, so that the asker has them within 300 ms, unless it is patient. */
export const REMOTE_DEADLINE_MS = 250;
/** Questions of this process at a time; above it they are refused. */
export const ASKED_MAX = 10_000;

export function newAskId(): string {
  return randomBytes(9).toString('base64url');
}

interface Asked {
  readonly question: QuestionName;
  readonly answers: { from: string; result: unknown }[];
  /** By node; those that have not answered. */
  readonly missing: Map<string, string>;
  readonly answered: Set<string>;
  readonly end: () => void;
}

export class AskDesk {
  readonly #asked = new Map<string, Asked>();

  /** @param send publishes the question under this id. */
  ask(
    question: QuestionName,
    members: readonly Member[],
    { deadlineMs, patient = false }: { readonly deadlineMs: number; readonly patient?: boolean },
    send: (id: string) => void,
  ): Promise<Answers<unknown>> {
    if (this.#asked.size >= ASKED_MAX) {
      throw new SpushError('RPC_BUSY', `${ASKED_MAX} questions are under way already`);
    }
    const id = newAskId();
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => asked.end(),
        patient ? deadlineMs : Math.min(deadlineMs, REMOTE_DEADLINE_MS),
      );
      const asked: Asked = {
        question,
        answers: [],
        missing: new Map(members.map((member) => [member.node, memberName(member)])),
        answered: new Set(),
        end: () => {
          clearTimeout(timer);
          this.#asked.delete(id);
          resolve({ answers: asked.answers, silent: [...asked.missing.values()] });
        },
      };
      this.#asked.set(id, asked);
      send(id);
      if (asked.missing.size === 0) asked.end();
    });
  }

  /** False when the answer is none to this question. One that comes too late is nobody's fault. */
  answered(from: BusIdentity, id: string, result: unknown): boolean {
    const asked = this.#asked.get(id);
    if (!asked) return true;
    const parsed = questionSchemas[asked.question].result.safeParse(result);
    if (!parsed.success) return false;
    if (asked.answered.has(from.node)) return true;
    asked.answered.add(from.node);
    asked.missing.delete(from.node);
    asked.answers.push({ from: memberName(from), result: parsed.data });
    if (asked.missing.size === 0) asked.end();
    return true;
  }

  close(): void {
    for (const { end } of [...this.#asked.values()]) end();
  }
}
