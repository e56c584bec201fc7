import { useLive } from '../api/use-live.ts';
import { useSurroundings } from '../context.ts';
import { to } from '../routes.ts';
import { Page } from '../ui/page.tsx';
import { Empty, Loaded } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { When } from '../ui/when.tsx';
import { SetSecret } from './set-secret.tsx';

/** Names of secrets, and who is given them. Values go in and never come out. */
export function SecretsPage() {
  const { platform } = useSurroundings();
  const live = useLive((signal) => platform.call('GET /secrets', { signal }), 10_000, 'secrets');
  return (
    <Page title="Secrets">
      <Loaded live={live} what="secrets">
        {({ secrets }) =>
          secrets.length === 0 ? (
            <Empty title="There are no secrets">
              A function that names one in <code>secrets</code> finds it in its environment. They are encrypted on the disk.
            </Empty>
          ) : (
            <Table label="Secrets" head={['Name', 'Version', 'Changed', 'Functions']}>
              {secrets.map(({ name, version, updated_at: at, functions }) => (
                <tr key={name}>
                  <th scope="row">
                    <code>{name}</code>
                  </th>
                  <td class="number">{version}</td>
                  <td>
                    <When at={at} />
                  </td>
                  <td>
                    {functions.length === 0
                      ? '–'
                      : functions.map((one) => (
                          <a key={one} href={to('functions', one)}>
                            {one}{' '}
                          </a>
                        ))}
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
      {platform.may('deploy') && <SetSecret onChanged={live.refresh} />}
    </Page>
  );
}
