package io.balena.engine.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DnsQueryTest {
    /// @param name with dots between labels
    static byte[] query(String name, int type) {
        var out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0});
        for (String label : name.split("\\.")) {
            out.write(label.length());
            out.writeBytes(label.getBytes());
        }
        out.writeBytes(new byte[] {0, 0, (byte) type, 0, 1});
        return out.toByteArray();
    }

    private static byte[] withOption(byte[] query, int udpBytes) {
        byte[] all = Arrays.copyOf(query, query.length + 11);
        all[11] = 1;
        all[query.length + 2] = 41;
        all[query.length + 3] = (byte) (udpBytes >> 8);
        all[query.length + 4] = (byte) udpBytes;
        return all;
    }

    @Test void aQuestionIsRead() throws Exception {
        var query = DnsQuery.parse(query("Web.My-Net", DnsQuery.AAAA));
        assertEquals("web.my-net", query.name());
        assertEquals(DnsQuery.AAAA, query.type());
        assertEquals(512, query.limit());
    }

    @Test void whatTheAskerTakesIsHeeded() throws Exception {
        assertEquals(1232, DnsQuery.parse(withOption(query("web", DnsQuery.A), 1232)).limit());
        assertEquals(512, DnsQuery.parse(withOption(query("web", DnsQuery.A), 1)).limit());
    }

    @Test void answersAreNotAnswered() {
        byte[] answer = query("web", DnsQuery.A);
        answer[2] |= (byte) 0x80;
        assertEquals(-1, assertThrows(MalformedQuery.class, () -> DnsQuery.parse(answer)).code());
        assertEquals(-1, assertThrows(MalformedQuery.class, () -> DnsQuery.parse(new byte[11])).code());
    }

    @Test void aPointerInAQuestionLeadsNowhere() {
        byte[] loop = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, (byte) 0xc0, 12, 0, 1, 0, 1};
        assertEquals(DnsReply.FORMAT_ERROR, assertThrows(MalformedQuery.class, () -> DnsQuery.parse(loop)).code());
    }

    @Test void pointersAmongAdditionalRecordsAreNotFollowed() throws Exception {
        byte[] query = query("web", DnsQuery.A);
        byte[] all = Arrays.copyOf(query, query.length + 12);
        all[11] = 1;
        all[query.length] = (byte) 0xc0; // to itself
        all[query.length + 1] = (byte) query.length;
        assertEquals("web", DnsQuery.parse(all).name());
    }

    @Test void namesThatAreTooLongAreRefused() {
        assertThrows(MalformedQuery.class, () -> DnsQuery.parse(query("a".repeat(63) + "." + "b".repeat(63) + "." + "c".repeat(63) + "." + "d".repeat(63), 1)));
        assertThrows(MalformedQuery.class, () -> DnsQuery.parse(query("a".repeat(64), 1)));
    }

    @Test void otherThanOneQuestionAndOtherOperationsAreRefused() {
        byte[] two = query("web", DnsQuery.A);
        two[5] = 2;
        assertEquals(DnsReply.FORMAT_ERROR, assertThrows(MalformedQuery.class, () -> DnsQuery.parse(two)).code());
        byte[] update = query("web", DnsQuery.A);
        update[2] |= 5 << 3;
        assertEquals(DnsReply.NOT_IMPLEMENTED, assertThrows(MalformedQuery.class, () -> DnsQuery.parse(update)).code());
    }

    /// Whatever comes, it is a query or malformed, and nothing else is thrown.
    @Test void noBytesDoHarm() {
        var random = new Random(1);
        byte[] good = withOption(query("some.name.in.a.network", DnsQuery.A), 4096);
        int parsed = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] bytes = Arrays.copyOf(good, random.nextInt(good.length + 20));
            for (int n = random.nextInt(4); n > 0 && bytes.length > 0; n--) bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            try {
                var query = DnsQuery.parse(bytes);
                parsed++;
                DnsReply.failure(query, DnsReply.SERVER_FAILURE);
                query.isAnsweredBy(good);
            } catch (MalformedQuery e) {
                if (e.code() >= 0) DnsReply.failure(bytes, e.code());
            }
        }
        assertTrue(parsed > 1000, "some were queries: " + parsed);
    }

    @Test void onlyTheSameQuestionIsAnAnswer() throws Exception {
        var query = DnsQuery.parse(query("web", DnsQuery.A));
        byte[] answer = query("WEB", DnsQuery.A);
        answer[2] |= (byte) 0x80;
        assertTrue(query.isAnsweredBy(answer), "letters may change their size on the way");
        byte[] other = query("wab", DnsQuery.A);
        other[2] |= (byte) 0x80;
        assertFalse(query.isAnsweredBy(other));
        assertFalse(query.isAnsweredBy(query("web", DnsQuery.A)), "a question is no answer");
        assertFalse(query.isAnsweredBy(Arrays.copyOf(answer, 14)));
    }
}
