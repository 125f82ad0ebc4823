-- The average over a seller's last ten auctions that were won, in the order of the winning bids. A bid that outdoes the winner takes it back.
SELECT seller, AVG(price) OVER (PARTITION BY seller ORDER BY dateTime ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS avg_price
FROM (
  SELECT seller, price, dateTime, ROW_NUMBER() OVER (PARTITION BY id ORDER BY price DESC, dateTime) AS place
  FROM (
    SELECT a.id, a.seller, b.price, b.dateTime
    FROM auction AS a, bid AS b
    WHERE a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
  )
) WHERE place = 1;
