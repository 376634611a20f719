package io.balena.engine.daemon.container.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class CpuSetTest {
    @Test
    void aListHoldsItsRangesAndNumbers() {
        assertTrue(CpuSet.parse("0-3,7").containsAll(CpuSet.parse("1-2,7,3")));
        assertFalse(CpuSet.parse("0-3,7").containsAll(CpuSet.parse("4")));
        assertTrue(CpuSet.parse("").containsAll(CpuSet.parse("")));
    }

    @Test
    void whatIsNoListIsRefusedInDockersWords() {
        for (String wrong : new String[] {"0-", "x", "1-0", ",", "0,,1", "-1", "0-1-2", " 1"}) {
            assertEquals("invalid format: " + wrong, assertThrows(IllegalArgumentException.class, () -> CpuSet.parse(wrong)).getMessage());
        }
        assertEquals("value of out range, maximum is 8192",
                assertThrows(IllegalArgumentException.class, () -> CpuSet.parse("0-99999999999")).getMessage());
    }
}
