/** It would be refused again: it is not tried any more. */
export class DeliveryRefused extends Error {
  override readonly name = 'DeliveryRefused';
}
