INSERT INTO out23
SELECT b.auction, b.bidder, b.price, b.channel, p.name, p.city, a.id, a.itemName
FROM bid AS b
JOIN person AS p ON b.bidder = p.id
JOIN auction AS a ON a.seller = b.bidder;
