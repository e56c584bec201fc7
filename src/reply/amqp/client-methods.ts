/** What a client may send us, with the fields that we look at. Argument tables are skipped: no argument changes anything here. */
export type ClientMethod =
  | { name: 'connection.start-ok'; mechanism: string; locale: string }
  | { name: 'connection.tune-ok'; channelMax: number; frameMax: number; heartbeat: number }
  | { name: 'connection.open'; virtualHost: string }
  | { name: 'connection.close'; code: number; text: string }
  | { name: 'connection.close-ok' }
  | { name: 'connection.update-secret' }
  | { name: 'channel.open' }
  | { name: 'channel.flow'; active: boolean }
  | { name: 'channel.flow-ok' }
  | { name: 'channel.close' }
  | { name: 'channel.close-ok' }
  | {
      name: 'exchange.declare';
      exchange: string;
      type: string;
      passive: boolean;
      durable: boolean;
      autoDelete: boolean;
      internal: boolean;
      noWait: boolean;
    }
  | { name: 'exchange.delete'; exchange: string; noWait: boolean }
  | { name: 'exchange.bind' | 'exchange.unbind'; destination: string; source: string }
  | { name: 'queue.declare'; queue: string; passive: boolean; noWait: boolean }
  | { name: 'queue.bind'; queue: string; exchange: string; noWait: boolean }
  | { name: 'queue.unbind'; queue: string; exchange: string }
  | { name: 'queue.purge'; queue: string; noWait: boolean }
  | { name: 'queue.delete'; queue: string; noWait: boolean }
  | { name: 'basic.qos' }
  | { name: 'basic.consume'; queue: string; consumerTag: string; noWait: boolean }
  | { name: 'basic.cancel'; consumerTag: string; noWait: boolean }
  | { name: 'basic.publish'; exchange: string; routingKey: string; immediate: boolean }
  | { name: 'basic.get'; queue: string }
  | { name: 'basic.ack' | 'basic.reject' | 'basic.nack'; deliveryTag: bigint }
  | { name: 'basic.recover-async' }
  | { name: 'basic.recover' }
  | { name: 'confirm.select'; noWait: boolean };
