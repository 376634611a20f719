package io.balena.engine.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.dns.ContainerNames.Membership;
import io.balena.engine.dns.ContainerNames.Server;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class NameTableTest {
    private final NameTable table = new NameTable();

    private static InetAddress ip(String text) {
        return InetAddress.ofLiteral(text);
    }

    private static ContainerNames container(String id, Membership... networks) {
        return new ContainerNames(id, List.of(networks), List.of(), false);
    }

    private static Membership on(String network, String address, String... names) {
        return new Membership("id-" + network, network, List.of(ip(address)), List.of(names), Map.of());
    }

    private ContainerNames add(ContainerNames names) {
        table.put(names);
        return names;
    }

    @Test void namesAreFoundOnSharedNetworksAlone() {
        var web = add(container("1", on("front", "10.0.0.2", "web")));
        add(container("2", on("back", "10.1.0.2", "db")));
        var both = add(container("3", on("front", "10.0.0.3", "app"), on("back", "10.1.0.3", "app")));
        assertEquals(Optional.of(List.of(ip("10.1.0.2"))), table.find(both, "db", false));
        assertEquals(Optional.empty(), table.find(web, "db", false));
        assertEquals(Optional.of(List.of(ip("10.0.0.3"))), table.find(both, "app", false), "the first network goes first");
        assertEquals(Optional.of(List.of(ip("10.1.0.3"))), table.find(both, "app.back", false));
    }

    @Test void dotsMayBeInNamesAndInNetworks() {
        var asker = add(container("1", on("my.net", "10.0.0.2", "a.b")));
        assertTrue(table.find(asker, "a.b", false).isPresent());
        assertTrue(table.find(asker, "a.b.my.net", false).isPresent());
        assertTrue(table.find(asker, "a", false).isEmpty());
    }

    @Test void aSharedNameIsTakenInTurn() {
        var asker = add(container("1", on("n", "10.0.0.2", "one", "all")));
        add(container("2", on("n", "10.0.0.3", "two", "all")));
        var first = table.find(asker, "all", false).orElseThrow().getFirst();
        assertNotEquals(first, table.find(asker, "all", false).orElseThrow().getFirst());
        assertEquals(2, table.find(asker, "all", false).orElseThrow().size());
    }

    @Test void whoHasNoAddressOfAFamilyIsKnownNevertheless() {
        var asker = add(container("1", on("n", "10.0.0.2", "one")));
        assertEquals(Optional.of(List.of()), table.find(asker, "one", true));
    }

    @Test void addressesHaveTheFirstName() {
        var asker = add(container("1", on("n", "10.0.0.2", "one", "alias")));
        assertEquals(Optional.of("one.n"), table.nameOf(asker, ip("10.0.0.2")));
        assertEquals(Optional.of("one.n"), ReverseName.addressOf("2.0.0.10.in-addr.arpa").flatMap(address -> table.nameOf(asker, address)));
        assertEquals(ip("fd00::1"), ReverseName.addressOf("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa").orElseThrow());
        assertEquals(Optional.empty(), ReverseName.addressOf("x.0.0.10.in-addr.arpa"));
    }

    @Test void namesGoWithTheirContainers() {
        var asker = add(container("1", on("n", "10.0.0.2", "one")));
        add(container("2", on("n", "10.0.0.3", "two")));
        assertTrue(table.find(asker, "two", false).isPresent());
        table.remove("2");
        assertTrue(table.find(asker, "two", false).isEmpty());
    }

    @Test void linksAreTheirContainersAlone() {
        add(container("1", on("n", "10.0.0.2", "db")));
        var linked = add(new ContainerNames("2", List.of(new Membership("id-n", "n", List.of(ip("10.0.0.3")), List.of("app"), Map.of("Store", "db"))),
                List.of(), false));
        assertEquals(Optional.of(List.of(ip("10.0.0.2"))), table.find(linked, "store", false));
        assertTrue(table.find(add(container("3", on("n", "10.0.0.4", "x"))), "store", false).isEmpty());
    }

    @Test void whatIsSaidOfAContainerSurvivesTheWay() throws Exception {
        var names = new ContainerNames("1", List.of(new Membership("id", "net", List.of(ip("10.0.0.2"), ip("fd00::2")), List.of("web", "www"),
                Map.of("store", "db")), new Membership("id2", "other", List.of(ip("10.1.0.2")), List.of("web"), Map.of())),
                List.of(new Server(ip("127.0.0.1"), true), new Server(ip("9.9.9.9"), false)), true);
        assertEquals(names, ContainerNames.decode("1", names.encode()));
        var odd = container("1", on("n", "10.0.0.2", "web", "two words", "new\nline", ""));
        assertEquals(List.of("web"), ContainerNames.decode("1", odd.encode()).networks().getFirst().names());
        assertEquals(List.of(), ContainerNames.decode("1", "something new\nof later".getBytes()).networks());
    }

    @Test void whatDoesNotFitIsSaidToBeMissing() throws Exception {
        var query = DnsQuery.parse(DnsQueryTest.query("all", DnsQuery.A));
        var many = java.util.stream.IntStream.range(0, 100).mapToObj(i -> ip("10.0.0." + i)).toList();
        byte[] datagram = DnsReply.addresses(query, many, 512);
        assertTrue(datagram.length <= 512 && (datagram[2] & 2) != 0 && DnsQuery.number(datagram, 6) == (datagram.length - query.questionEnd()) / 16);
        byte[] stream = DnsReply.addresses(query, many, 65_535);
        assertTrue((stream[2] & 2) == 0 && DnsQuery.number(stream, 6) == 100);
        assertArrayEquals(new byte[] {0x12, 0x34}, java.util.Arrays.copyOf(stream, 2));
    }
}
