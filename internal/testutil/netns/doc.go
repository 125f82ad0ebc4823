// Package netns makes hosts for tests: network namespaces of Linux, each with an address of its own, on a switch in a
// namespace of its own. What runs on a host is a process of this machine like any other, but its network can be cut in both
// directions or in one, can lose packets, be narrow or be slow, and nothing else on the machine notices.
//
// Start gives a test its Network; Host adds a host to it. Servers of realserver, realetcd, reals3 and realkafka start on a
// host by Host.Command, which keeps the process id, so that they are killed and paused as ever, and still die with the
// test. The test reaches the hosts, and they reach the test, through one link from the machine to the switch.
//
// Cuts and losses are rules of the switch (nftables), not of the hosts: a sender learns nothing of what is thrown away, as
// on a real network, where a rule of its own would answer it. ARP passes, so that a cut is silence rather than "no route to
// host". Narrowness is the token bucket of the kernel at both ends of a host's link. Slowness is a proxy in the test's
// process, since many kernels are built without netem; see Host.Interpose.
//
// Everything goes when the test ends, however it ends. What a test process leaves that was killed, the next Start removes:
// each Network has a number, which its process holds by a lock on a file, which the kernel takes back; names and addresses
// follow from the number. Hence two test processes never meet, and nothing is touched that does not bear a number that
// nobody holds.
//
// It needs Linux, root, and the commands ip, tc and nft, which it installs where apt-get is there. Where it cannot work, the
// test is skipped and says what did not run.
//
// Goroutines: those of interposed proxies, which end with the Network.
package netns
