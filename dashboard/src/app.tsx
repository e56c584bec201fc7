import { useEffect, useMemo } from 'preact/hooks';
import type { Platform } from './api/platform.ts';
import { SurroundingsContext } from './context.ts';
import { CreateFunctionPage } from './pages/create-function.tsx';
import { DeadLettersPage } from './pages/dead-letters.tsx';
import { FunctionPage } from './pages/function/function-page.tsx';
import { FunctionsPage } from './pages/functions.tsx';
import { MachinePage } from './pages/machine.tsx';
import { NodesPage } from './pages/nodes.tsx';
import { SchedulesPage } from './pages/schedules.tsx';
import { SecretsPage } from './pages/secrets.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { type Route, to, useRoute } from './routes.ts';
import { useStore } from './store.ts';
import { Header } from './ui/header.tsx';
import { Page } from './ui/page.tsx';
import { Failure, Loading } from './ui/states.tsx';
import type { Theme } from './ui/theme.ts';
import { ToastList, type Toasts } from './ui/toasts.tsx';

interface Props {
  platform: Platform;
  theme: Theme;
  toasts: Toasts;
}

export function App({ platform, theme, toasts }: Props) {
  const route = useRoute();
  const signIn = useStore(platform.signIn);
  const surroundings = useMemo(() => ({ platform, theme, toasts }), [platform, theme, toasts]);
  useEffect(() => {
    void platform.enter();
  }, [platform]);
  return (
    <SurroundingsContext.Provider value={surroundings}>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <Header route={route} />
      <main id="main" tabIndex={-1}>
        {signIn.state === 'asking' && <Loading what="the platform" />}
        {signIn.state === 'away' && <Failure error={signIn.why} onRetry={() => void platform.enter()} />}
        {signIn.state === 'out' && <SignInPage refused={signIn.refused} />}
        {signIn.state === 'in' && <PageOf route={route} />}
      </main>
      <ToastList toasts={toasts} />
    </SurroundingsContext.Provider>
  );
}

function PageOf({ route }: { route: Route }) {
  const [first, second, third] = route;
  if (first === undefined) return <FunctionsPage />;
  if (first === 'new') return <CreateFunctionPage />;
  if (first === 'functions' && second !== undefined) return <FunctionPage key={second} name={second} tab={third ?? 'overview'} />;
  if (first === 'machine') return <MachinePage />;
  if (first === 'nodes') return <NodesPage />;
  if (first === 'schedules') return <SchedulesPage />;
  if (first === 'dead-letters') return <DeadLettersPage />;
  if (first === 'secrets') return <SecretsPage />;
  return (
    <Page title="Nothing is here">
      <p>
        There is no such page. <a href={to()}>All functions</a>
      </p>
    </Page>
  );
}
