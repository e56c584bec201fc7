import { laneName } from '../../../src/queue/lane.ts';
import type { DeadTicketReason, NewTicket, Ticket, Tickets } from '../../../src/queue/tickets/tickets.ts';

interface Waiting extends NewTicket {
  redelivered: boolean;
}

/** Stands for the broker, where a test says what happens to tickets: everything but the network. */
export class TestBroker {
  away = false;
  readonly published: NewTicket[] = [];
  #waiting: Waiting[] = [];
  readonly #nodes: TestTickets[] = [];

  /** What one node has of it. */
  connect(): TestTickets {
    const tickets = new TestTickets(this);
    this.#nodes.push(tickets);
    return tickets;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  add(tickets: readonly NewTicket[], redelivered = false): void {
    this.#waiting.push(...tickets.map((ticket) => ({ ...ticket, redelivered })));
  }

  take(lane: string, limit: number): Waiting[] {
    const found = this.#waiting.filter((ticket) => laneName(ticket.lane) === lane).slice(0, limit);
    this.#waiting = this.#waiting.filter((ticket) => !found.includes(ticket));
    return found;
  }

  /** It forgets what it has. */
  drop(): void {
    this.#waiting = [];
  }

  /** The first that waits dies. */
  async die(reason: DeadTicketReason): Promise<void> {
    const ticket = this.#waiting.shift() as Waiting;
    await this.#nodes[0]?.dead(ticket.id, ticket.lane, reason);
  }
}

export class TestTickets implements Tickets {
  readonly #broker: TestBroker;
  readonly held = new Map<string, Waiting>();
  #lost: Parameters<Tickets['onLost']>[0] = () => undefined;
  dead: Parameters<Tickets['onDead']>[0] = async () => undefined;
  gone: Parameters<Tickets['onGone']>[0] = () => undefined;

  constructor(broker: TestBroker) {
    this.#broker = broker;
  }

  async publish(tickets: readonly NewTicket[]): Promise<void> {
    if (this.#broker.away) throw new Error('the broker is away');
    this.#broker.published.push(...tickets);
    this.#broker.add(tickets);
  }

  async pull(lane: NewTicket['lane'], limit: number): Promise<Ticket[]> {
    if (this.#broker.away) return [];
    return this.#broker.take(laneName(lane), limit).map((ticket) => {
      this.held.set(ticket.id, ticket);
      return {
        id: ticket.id,
        redelivered: ticket.redelivered,
        acknowledge: () => void this.held.delete(ticket.id),
        giveBack: () => {
          if (this.held.delete(ticket.id)) this.#broker.add([ticket], true);
        },
      };
    });
  }

  /** The connection is lost. `quietly`: so is the node, which is told nothing. */
  cut(quietly = false): void {
    const held = [...this.held.values()];
    this.held.clear();
    if (!quietly) this.#lost(held.map(({ id }) => id));
    this.#broker.add(held, true);
  }

  onLost(listener: Parameters<Tickets['onLost']>[0]): void {
    this.#lost = listener;
  }

  onDead(listener: Parameters<Tickets['onDead']>[0]): void {
    this.dead = listener;
  }

  onGone(listener: Parameters<Tickets['onGone']>[0]): void {
    this.gone = listener;
  }

  async start(): Promise<void> {}

  async close(): Promise<void> {}
}
