//! Python's `random.Random`: the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) with the seeding and the
//! sampling of CPython. Which few-shot examples a prompt holds and which resamples a bootstrap draws follow from it.

const N: usize = 624;
const M: usize = 397;

/// A generator in the state that Python's has after `random.Random(seed)`.
#[derive(Clone)]
pub(crate) struct Random {
    state: [u32; N],
    next: usize,
}

impl std::fmt::Debug for Random {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Random").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Random {
    /// As `random.Random(seed)`. CPython seeds from the 32-bit words of the number, the lowest first.
    pub(crate) fn new(seed: u64) -> Self {
        let high = (seed >> 32) as u32;
        let words = [seed as u32, high];
        Self::from_key(if high == 0 { &words[..1] } else { &words })
    }

    fn from_key(key: &[u32]) -> Self {
        let mut state = [0_u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            let previous = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(i as u32);
        }
        let mut i = 1;
        for step in 0..N.max(key.len()) {
            let j = step % key.len();
            let mixed = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_664_525);
            state[i] = (state[i] ^ mixed).wrapping_add(key[j]).wrapping_add(j as u32);
            i += 1;
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 1..N {
            let mixed = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_566_083_941);
            state[i] = (state[i] ^ mixed).wrapping_sub(i as u32);
            i += 1;
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, next: N }
    }

    fn twist(&mut self) {
        for i in 0..N {
            let joined = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (joined >> 1) ^ odd;
        }
        self.next = 0;
    }

    fn word(&mut self) -> u32 {
        if self.next >= N {
            self.twist();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// As `random()`: 53 bits, at least 0 and below 1.
    pub(crate) fn random(&mut self) -> f64 {
        let high = f64::from(self.word() >> 5);
        let low = f64::from(self.word() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// As `getrandbits(bits)`, for 1 to 64 bits.
    fn bits(&mut self, bits: u32) -> u64 {
        if bits <= 32 {
            return u64::from(self.word() >> (32 - bits));
        }
        let low = u64::from(self.word());
        low | u64::from(self.word() >> (64 - bits)) << 32
    }

    /// A number below `bound`, which is at least 1: so many bits as it has, again and again until they are below it.
    fn below(&mut self, bound: usize) -> usize {
        let bits = usize::BITS - bound.leading_zeros();
        loop {
            let drawn = self.bits(bits);
            if drawn < bound as u64 {
                return drawn as usize;
            }
        }
    }

    /// As `sample(range(population), count)`: the places drawn, in the order in which they were drawn. Nothing if there
    /// are fewer than `count`.
    pub(crate) fn sample(&mut self, population: usize, count: usize) -> Option<Vec<usize>> {
        if count > population {
            return None;
        }
        let mut drawn = Vec::with_capacity(count);
        if population <= list_size(count) {
            let mut pool: Vec<usize> = (0..population).collect();
            for taken in 0..count {
                let place = self.below(population - taken);
                drawn.push(pool[place]);
                pool[place] = pool[population - taken - 1];
            }
        } else {
            for _ in 0..count {
                let mut place = self.below(population);
                while drawn.contains(&place) {
                    place = self.below(population);
                }
                drawn.push(place);
            }
        }
        Some(drawn)
    }

    /// As `choices(range(population), k=count)`.
    pub(crate) fn choices(&mut self, population: usize, count: usize) -> Vec<usize> {
        (0..count).map(|_| (self.random() * population as f64) as usize).collect()
    }
}

/// Up to this population CPython copies it into a list; above, it keeps a set of what was drawn. The two draw
/// differently. The limit is what a set of that size takes: 21, and for more than 5 the next power of 4 above 3 times.
fn list_size(count: usize) -> usize {
    let mut size = 21;
    if count > 5 {
        let mut power = 1;
        while power < count * 3 {
            power *= 4;
        }
        size += power;
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row was printed by CPython 3.11: `random.Random(seed).sample(range(population), count)`.
    #[test]
    fn samples_are_those_of_cpython() {
        for (seed, population, count, drawn) in [
            (1234, 10, 3, vec![7, 1, 0]),
            (1234, 21, 5, vec![14, 3, 0, 2, 1]),
            (1234, 22, 5, vec![14, 3, 0, 2, 18]),
            (1234, 84, 6, vec![56, 14, 0, 11, 74, 4]),
            (1234, 85, 6, vec![56, 14, 0, 11, 74, 4]),
            (1234, 86, 6, vec![56, 14, 0, 11, 74, 4]),
            (
                1234,
                1954,
                25,
                vec![
                    1593, 902, 239, 15, 185, 1865, 1930, 1923, 1652, 1192, 71, 1375, 1419, 171, 201, 1569, 726, 484,
                    35, 63, 1615, 32, 708, 1327, 1276,
                ],
            ),
            (0, 5, 5, vec![3, 4, 0, 1, 2]),
            (42, 100, 8, vec![81, 14, 3, 94, 35, 31, 28, 17]),
            (4_294_967_296, 1000, 4, vec![115, 359, 427, 957]),
            (1234, 1, 1, vec![0]),
            (9, 70000, 3, vec![60687, 48930, 35013]),
        ] {
            assert_eq!(Random::new(seed).sample(population, count).unwrap(), drawn, "{seed} {population} {count}");
        }
        assert_eq!(Random::new(1234).sample(3, 4), None);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "equal to the last bit is what is claimed")]
    fn fractions_and_choices_are_those_of_cpython() {
        let mut random = Random::new(0);
        assert_eq!([random.random(), random.random()], [0.844_421_851_525_048_1, 0.757_954_402_940_302_5]);
        assert_eq!(Random::new(7).choices(10, 8), [3, 1, 6, 0, 5, 3, 0, 5]);
        assert_eq!(Random::new(1 << 40).random(), 0.103_639_456_281_237_5);
    }

    #[test]
    fn one_stream_is_drawn_in_order() {
        let mut random = Random::new(1234);
        let drawn: Vec<Vec<usize>> = (0..3).map(|_| random.sample(1954, 2).unwrap()).collect();
        assert_eq!(drawn, [[1593, 902], [239, 15], [185, 1865]]);
    }
}
