"""Prints how floats are stored: values_table.py VALUE_TOOL. The made ones, and those of MIST_SHARED/cases."""
import glob
import os
import sys

import numpy as np

import value_cases


def row(tool, name, array):
    gz, packed = value_cases.source_sizes(array)
    got = value_cases.run(tool, array)
    full = sum(got[k] for k in ("map_bytes", "coded", "hole_bytes", "remainder_bytes", "table_bytes"))
    half = sum(got[k] for k in ("map_bytes", "half", "half_hole_bytes"))
    flags = "".join(c for c, bad in (("G", full > gz), ("Z", full > 1.25 * packed), ("H", half > 0.4 * full),
                                     ("S", got["judged"] and got["ssim"] < got["ssim16"] - 0.005),
                                     ("L", not got["lossless"] or not got["hole_lattice"])) if bad)
    print(f"{name:24} {got['kind']:9} {got['precision']:2} {got['holes']:6} {got['distinct']:6} {gz:9} {packed:9} {full:9} "
          f"{full / packed:6.3f} {half / full:6.3f} {got['ssim']:8.5f} {got['ssim16']:8.5f} {got['mad']:8.5f} {got['mad16']:8.5f}  {flags}",
          flush=True)
    return flags


def main():
    tool = sys.argv[1]
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    print(f"{'image':24} {'kind':9} {'p':2} {'holes':>6} {'values':>6} {'gzip':>9} {'zstd-19':>9} {'stored':>9} {'/zstd':>6} {'half':>6} "
          f"{'SSIM':>8} {'as u16':>8} {'MAD':>8} {'as u16':>8}")
    shared = os.environ.get("MIST_SHARED", "")
    for path in sorted(glob.glob(shared + "/cases/float_zero_crossing/*.nii.gz")):
        import nibabel
        array = np.asarray(nibabel.load(path).dataobj).T
        if only in os.path.basename(path):
            row(tool, os.path.basename(path)[:-7], array)
    for name, array in value_cases.made().items():
        if only in name:
            row(tool, name, array)


if __name__ == "__main__":
    main()
