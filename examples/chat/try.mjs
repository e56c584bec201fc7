// Two guests: ada says something, and what bob hears is printed. Usage: node try.mjs ws://localhost:5000/chat/ROOM TEXT
const [url, text] = process.argv.slice(2);

const enter = (name) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url}?name=${name}`);
    socket.addEventListener('open', () => resolve(socket));
    socket.addEventListener('error', () => reject(new Error(`${name} is not let in`)));
    socket.addEventListener('close', ({ code }) => code !== 1000 && console.log(`${name} is out: ${code}`));
  });

const [ada, bob] = [await enter('ada'), await enter('bob')];
const leave = () => {
  for (const one of [ada, bob]) one.close(1000);
};
bob.addEventListener('message', ({ data }) => {
  console.log(`bob hears "${data}"`);
  leave();
});
ada.addEventListener('close', leave);
ada.send(text);
