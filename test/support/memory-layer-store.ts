import type { LayerStore } from '../../src/layers/layer-book.ts';
import type { LayerRecord } from '../../src/schemas/records.ts';

/** The store's part for layers, in memory; what outlives a `Layers` object is in `records`. */
export function memoryLayerStore(): LayerStore & { readonly records: Map<string, LayerRecord> } {
  const records = new Map<string, LayerRecord>();
  return {
    records,
    putLayer: async (layer) => void records.set(layer.id, structuredClone(layer)),
    layers: async () => structuredClone([...records.values()]),
    layerRecipe: async (id) => structuredClone(records.get(id)),
    deleteLayer: async (id) => records.delete(id),
  };
}
