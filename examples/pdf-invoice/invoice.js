// Writes an invoice as a PDF.
import PDFDocument from 'pdfkit';

const MAX_ITEMS = 100;
// It stands in a header and in the name of a file.
const NUMBER = /^[A-Za-z0-9-]{1,20}$/;
// The letters that the fonts have which every reader of PDFs brings along. Others need a font file: pdf.font('font.ttf').
const TEXT = /^[\x20-\x7e\xa0-\xff]{1,80}$/;

export const handler = (message) => {
  const wrong = mistakeIn(message.body);
  if (wrong) return { statusCode: 422, body: { error: wrong } };
  const { number, to, items } = message.body;
  const pdf = new PDFDocument({ size: 'A4', margin: 56, info: { Title: `Invoice ${number}` } });
  pdf.fontSize(20).text(`Invoice ${number}`).fontSize(11).moveDown().text(to).moveDown(2);
  for (const { text, count, cents } of items) line(pdf, `${count} × ${text}`, count * cents);
  pdf.moveDown().font('Helvetica-Bold');
  line(
    pdf,
    'Total',
    items.reduce((sum, { count, cents }) => sum + count * cents, 0),
  );
  pdf.end();
  // A PDFDocument is a stream of Node.js, and goes out as it is written.
  const headers = { 'Content-Type': 'application/pdf', 'Content-Disposition': `inline; filename="invoice-${number}.pdf"` };
  return { statusCode: 200, headers, body: pdf };
};

/** A text on the left, an amount on the right. */
function line(pdf, text, cents) {
  pdf.text(text, { continued: true }).text((cents / 100).toFixed(2), { align: 'right' });
}

function mistakeIn(body) {
  if (!NUMBER.test(body?.number)) return 'number: 1 to 20 letters, digits and dashes';
  if (!isText(body.to)) return 'to: 1 to 80 letters of Western Europe';
  if (!Array.isArray(body.items) || body.items.length < 1 || body.items.length > MAX_ITEMS) return `items: 1 to ${MAX_ITEMS} of them`;
  // Amounts are whole cents: sums of fractions are not exact.
  const isItem = (item) => isText(item?.text) && isWithin(item.count, 1, 10_000) && isWithin(item.cents, 0, 100_000_000);
  const at = body.items.findIndex((item) => !isItem(item));
  return at < 0 ? null : `items[${at}]: {"text": …, "count": 1 to 10000, "cents": a whole number}`;
}

const isText = (value) => typeof value === 'string' && TEXT.test(value);
const isWithin = (value, least, most) => Number.isInteger(value) && value >= least && value <= most;
