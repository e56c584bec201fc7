import type { LayerRecord } from '../../src/schemas/records.ts';
import type { Store } from '../../src/store/store.ts';

/** The store's part for layers, in memory; what outlives a `Layers` object is in `records`. */
export function memoryLayerStore(): Pick<Store, 'putLayer' | 'layers' | 'deleteLayer'> & { readonly records: Map<string, LayerRecord> } {
  const records = new Map<string, LayerRecord>();
  return {
    records,
    putLayer: async (layer) => void records.set(layer.id, structuredClone(layer)),
    layers: async () => structuredClone([...records.values()]),
    deleteLayer: async (id) => records.delete(id),
  };
}
