import { Page } from '../ui/page.tsx';
import { DeadLetterList } from './dead-letter-list.tsx';

export function DeadLettersPage() {
  return (
    <Page title="Dead letters">
      <DeadLetterList />
    </Page>
  );
}
