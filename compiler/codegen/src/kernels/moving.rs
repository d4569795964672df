//! Kernels that move rows: by index, into a cache, turned by an angle.

use super::rotary::{place, turn};
use super::sizes::Sizes;
use crate::mlir::{Function, Index, Launch, Pointer, Stored};
use tfc_compiler::kernel::{Access, Kernel, Rope, ScatterAdd};

pub fn gather<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel) {
    let sizes = Sizes::new(launch);
    let [_rows, width] = [0; 2].map(|_| sizes.next());
    let [ids, _, out] = buffers(launch);
    let table = Stored::operand(launch, kernel, 1);
    f.each(launch.begin, launch.end, 1, |row| {
        let place = ids.load_int(row).to_index() * width;
        let out = out.at(row * width);
        copy(f, table.at(place), out, width);
    });
}

/// An item is a block of columns, so that additions to one element are made by one thread, in the order of the rows.
pub fn scatter_add<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel) {
    let sizes = Sizes::new(launch);
    let [rows, width, classes] = [0; 3].map(|_| sizes.next());
    let [ids, gradient, out] = buffers(launch);
    f.each(launch.begin, launch.end, 1, |item| {
        let begin = item * ScatterAdd::COLUMN_BLOCK;
        let end = (begin + ScatterAdd::COLUMN_BLOCK).or_at_most(width);
        if kernel.operands[2].access != Access::Update {
            f.times(classes, |class| {
                let row = out.at(class * width);
                f.strips(begin, end, |column, lanes| row.store_lanes(column, f.vector(0.0), lanes));
            });
        }
        f.times(rows, |row| {
            let (from, to) = (gradient.at(row * width), out.at(ids.load_int(row).to_index() * width));
            f.strips(begin, end, |column, lanes| {
                to.store_lanes(column, to.load_lanes(column, lanes) + from.load_lanes(column, lanes), lanes);
            });
        });
    });
}

pub fn rope<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel, body: &Rope) {
    let sizes = Sizes::new(launch);
    let [_batch, positions, heads, channels, turned] = [0; 5].map(|_| sizes.next());
    let [x, cosines, sines, position] = buffers(launch);
    let out = if kernel.turns_in_place() { x } else { launch.buffers.load_pointer(4) };
    let half = turned / 2;
    f.each(launch.begin, launch.end, 1, |item| {
        let place = place(f, position, item, positions, body.documents) * half;
        let tables = [cosines, sines].map(|table| table.at(place));
        f.times(heads, |head| {
            let at = (item * heads + head) * channels;
            let (x, out) = (x.at(at), out.at(at));
            turn(f, [x, out], tables, half, body.inverse);
            let rest = half * 2;
            if !kernel.turns_in_place() {
                copy(f, x.at(rest).into(), out.at(rest), channels - rest);
            }
        });
    });
}

pub fn cache_write<'f>(f: &'f Function<'f>, launch: Launch<'f>) {
    let sizes = Sizes::new(launch);
    let [_batch, positions, capacity, width] = [0; 4].map(|_| sizes.next());
    let [new, position, cache] = buffers(launch);
    let first = position.load_int(f.index(0)).to_index();
    f.each(launch.begin, launch.end, 1, |item| {
        let place = item / positions * capacity + first + item % positions;
        copy(f, new.at(item * width).into(), cache.at(place * width), width);
    });
}

fn buffers<'f, const N: usize>(launch: Launch<'f>) -> [Pointer<'f>; N] {
    std::array::from_fn(|i| launch.buffers.load_pointer(i as i64))
}

fn copy<'f>(f: &'f Function<'f>, from: Stored<'f>, to: Pointer<'f>, length: Index<'f>) {
    f.strips(f.index(0), length, |i, lanes| to.store_lanes(i, from.load_lanes(i, lanes), lanes));
}

#[cfg(test)]
mod tests {
    use crate::testing::{Trial, all_vectors, noise, stored};
    use tfc_compiler::kernel::{Body, CacheWrite, Gather, Kernel, Operand, Rope, ScatterAdd};

    /// Numbers in 0..classes.
    fn ids(count: i64, classes: i64) -> Vec<f64> {
        noise(count, 9).iter().map(|x| ((x + 1.0) / 2.0 * classes as f64).floor()).collect()
    }

    #[test]
    fn rows_are_gathered() {
        for table in [Operand::READ, Operand::READ_BF16] {
            let kernel =
                Kernel { body: Body::Gather(Gather), operands: vec![Operand::READ_I32, table, Operand::WRITE] };
            for vectors in all_vectors() {
                let trial = Trial::new(&kernel, vectors);
                for [rows, width, classes] in [[1, 1, 1], [7, 33, 5], [0, 4, 2], [20, 64, 100]] {
                    let table = stored(table.dtype, noise(classes * width, 1));
                    trial.check(&[ids(rows, classes), table, noise(rows * width, 2)], &[rows, width], 0.0);
                }
            }
        }
    }

    #[test]
    fn rows_are_scattered_and_added() {
        for output in [Operand::WRITE, Operand::UPDATE] {
            let operands = vec![Operand::READ_I32, Operand::READ, output];
            let kernel = Kernel { body: Body::ScatterAdd(ScatterAdd), operands };
            for vectors in all_vectors() {
                let trial = Trial::new(&kernel, vectors);
                for [rows, width, classes] in [[1, 1, 1], [50, 33, 5], [0, 4, 2], [20, 200, 30]] {
                    let buffers = [ids(rows, classes), noise(rows * width, 1), noise(classes * width, 2)];
                    trial.check(&buffers, &[rows, width, classes], 1e-6);
                }
            }
        }
    }

    #[test]
    fn heads_are_turned() {
        let tables = [Operand::READ, Operand::READ, Operand::READ_I32];
        let elsewhere = [&[Operand::READ][..], &tables, &[Operand::WRITE]].concat();
        let in_place = [&[Operand::UPDATE][..], &tables].concat();
        for (inverse, documents, operands) in [
            (false, false, &elsewhere),
            (true, false, &elsewhere),
            (false, true, &elsewhere),
            (false, false, &in_place),
            (true, true, &in_place),
        ] {
            let kernel = Kernel { body: Body::Rope(Rope { inverse, documents }), operands: operands.clone() };
            for vectors in all_vectors() {
                let trial = Trial::new(&kernel, vectors);
                for [b, t, h, c, channels] in
                    [[1, 1, 1, 2, 2], [2, 3, 3, 64, 16], [1, 5, 2, 70, 70], [3, 2, 1, 37, 34], [1, 2, 2, 8, 0]]
                {
                    let table = 12 * (channels / 2);
                    let x = b * t * h * c;
                    let positions = if documents { ids(b * t, 12) } else { vec![4.0] };
                    let buffers = [noise(x, 1), noise(table, 2), noise(table, 3), positions, noise(x, 4)];
                    trial.check(&buffers[..operands.len()], &[b, t, h, c, channels], 1e-6);
                }
            }
        }
    }

    #[test]
    fn caches_take_up_rows() {
        let operands = vec![Operand::READ, Operand::READ_I32, Operand::UPDATE];
        let kernel = Kernel { body: Body::CacheWrite(CacheWrite), operands };
        for vectors in all_vectors() {
            let trial = Trial::new(&kernel, vectors);
            for [b, t, s, w] in [[1, 1, 1, 1], [2, 3, 9, 33], [3, 1, 4, 64]] {
                let buffers = [noise(b * t * w, 1), vec![(s - t) as f64], noise(b * s * w, 2)];
                trial.check(&buffers, &[b, t, s, w], 0.0);
            }
        }
    }
}
