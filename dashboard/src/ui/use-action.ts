import { useState } from 'preact/hooks';
import { messageOf } from '../api/platform.ts';
import { useSurroundings } from '../context.ts';

/** For buttons that change something: busy while it goes on, a notice when it has ended, either way. */
export function useAction(): { busy: boolean; run(work: () => Promise<string | undefined>): Promise<boolean> } {
  const { toasts } = useSurroundings();
  const [busy, setBusy] = useState(false);
  const run = async (work: () => Promise<string | undefined>): Promise<boolean> => {
    setBusy(true);
    try {
      const said = await work();
      if (said !== undefined) toasts.done(said);
      return true;
    } catch (error) {
      toasts.failed(messageOf(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, run };
}
