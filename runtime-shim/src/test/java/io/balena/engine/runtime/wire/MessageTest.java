package io.balena.engine.runtime.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MessageTest {
    @Test
    void whatIsPutInComesOut() throws IOException {
        Message message = parse(Message.of(9)
                .text(1, "größe")
                .number(2, -5)
                .flag(3, true)
                .flag(4, false)
                .bytes(5, new byte[] {0, -1})
                .text(6, "a")
                .text(6, "b")
                .message(7, Message.of(8).text(1, "inner")));
        assertEquals(9, message.kind());
        assertEquals("größe", message.text(1));
        assertEquals(-5, message.number(2));
        assertTrue(message.flag(3));
        assertFalse(message.flag(4));
        assertArrayEquals(new byte[] {0, -1}, message.bytes(5));
        assertEquals(List.of("a", "b"), message.texts(6));
        assertEquals("inner", message.messages(7).getFirst().text(1));
    }

    @Test
    void aMissingFieldReadsAsNothing() throws IOException {
        Message message = parse(Message.of(1));
        assertEquals("", message.text(1));
        assertEquals(0, message.number(1));
        assertEquals(Optional.empty(), message.optionalText(1));
    }

    @Test
    void fieldsOfANewerVersionArePassedOver() throws IOException {
        Message message = parse(Message.of(1).text(99, "what is this").text(2, "known"));
        assertEquals("known", message.text(2));
    }

    @Test
    void truncatedAndRandomBytesAreRefusedOrHarmless() {
        byte[] whole = Message.of(1).text(2, "some text").number(3, 7).encode();
        byte[] content = Arrays.copyOfRange(whole, Message.HEADER_BYTES, whole.length);
        for (int length = 2; length < content.length; length++) {
            byte[] part = Arrays.copyOf(content, length);
            if (length == 15) continue; // the end of the first field
            assertThrows(IOException.class, () -> Message.parse(part), "length " + length);
        }
        Random random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            byte[] garbage = new byte[random.nextInt(40)];
            random.nextBytes(garbage);
            try {
                Message message = Message.parse(garbage);
                for (int tag = 0; tag < 10; tag++) message.texts(tag);
            } catch (IOException refused) {
                // which is what one expects
            }
        }
    }

    private static Message parse(Message.Builder builder) throws IOException {
        byte[] encoded = builder.encode();
        assertEquals(encoded.length - Message.HEADER_BYTES, Message.readInt(encoded, 0));
        return Message.parse(Arrays.copyOfRange(encoded, Message.HEADER_BYTES, encoded.length));
    }
}
