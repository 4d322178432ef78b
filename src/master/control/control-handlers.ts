/** What a handler of a control command is; a command without one does not compile. */
import type {
  ControlArgs,
  ControlCommandName,
  ControlData,
  ControlEvent,
} from '../../shared/protocol/control-commands.js';

export type Progress = (event: ControlEvent) => void;

export type ControlHandler<C extends ControlCommandName> = (
  args: ControlArgs<C>,
  progress: Progress,
) => Promise<ControlData<C>>;

/** For work that says how far it is in words and figures. */
export function progressTo(
  progress: Progress,
): (text: string, detail?: Readonly<Record<string, unknown>>) => void {
  return (text, detail) => progress({ text, ...(detail && { detail: { ...detail } }) });
}

export type ControlHandlers = { readonly [C in ControlCommandName]: ControlHandler<C> };
