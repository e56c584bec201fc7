import type { ComponentChildren } from 'preact';
import { to } from '../../routes.ts';
import { bytes, dateAndTime, duration } from '../../ui/format.ts';
import type { FunctionDetail } from './function-page.tsx';

/** What the function was registered with. Of secrets their names: nobody gets to see more. */
export function Settings({ definition: it }: { definition: FunctionDetail }) {
  const names = Object.keys(it.environment);
  return (
    <section class="panel" aria-label="Settings">
      <h2>Settings</h2>
      <dl class="facts">
        <Fact name="Runtime">
          {it.runtime}, {it.style}
        </Fact>
        <Fact name="Deployed">{dateAndTime(it.created_at)}</Fact>
        <Fact name="Deadline">{duration(it.timeout_ms)}</Fact>
        <Fact name="Network">{it.network}</Fact>
        <Fact name="Calls at a time in an instance">{it.concurrency}</Fact>
        <Fact name="Instances">
          {it.reserved} reserved, at most {it.max_instances}
        </Fact>
        <Fact name="Memory">{it.memory_mb === null ? "the platform's limit" : bytes(it.memory_mb * 1024 * 1024)}</Fact>
        <Fact name="Callers">{it.access?.api_keys ? 'with an API key' : 'everybody'}</Fact>
        <Fact name="Secrets">{it.secrets.length === 0 ? 'none' : <Names names={it.secrets} href={() => to('secrets')} />}</Fact>
        <Fact name="Environment">{names.length === 0 ? 'empty' : <Names names={names} />}</Fact>
        <Fact name="May invoke">{it.invokes.length === 0 ? 'nobody' : <Names names={it.invokes} href={(name) => to('functions', name)} />}</Fact>
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Names({ names, href }: { names: readonly string[]; href?: (name: string) => string }) {
  return (
    <span class="badges">
      {names.map((name) =>
        href === undefined ? (
          <code key={name}>{name}</code>
        ) : (
          <a key={name} href={href(name)}>
            <code>{name}</code>
          </a>
        ),
      )}
    </span>
  );
}
