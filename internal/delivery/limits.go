package delivery

// acknowledgeEvery is how many messages are received at most before they are
// acknowledged unasked: what the other side keeps is bounded.
const acknowledgeEvery = 256
