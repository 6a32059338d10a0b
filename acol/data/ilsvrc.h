// ILSVRC CLS-LOC (ImageNet-1k of 2012), as it is given out and as people unpack it. A root is one of
//
//     the folder of Kaggle's archive, its ILSVRC/, ILSVRC/Data/ or ILSVRC/Data/CLS-LOC/:
//         LOC_synset_mapping.txt  LOC_train_solution.csv  LOC_val_solution.csv
//         ILSVRC/{Annotations,Data}/CLS-LOC/{train/<WNID>,val}/
//     the folder into which the archives of image-net.org were unpacked:
//         train/<WNID>/<WNID>_<k>.JPEG
//         val/ILSVRC2012_val_<8 digits>.JPEG, or val/<WNID>/ILSVRC2012_val_<8 digits>.JPEG
//         any of the lists of Kaggle; Annotations/[CLS-LOC/]{train/<WNID>,val}/*.xml, or bbox/ instead of Annotations/,
//         or XML files beside the pictures in val/
//
// Labels are the sorted WNIDs, as everywhere but in the development kit (its 1 is n02119789): of
// LOC_synset_mapping.txt, else the kit's map_clsloc.txt, else the folders of train/, else the classes of the boxes; a
// note says so where it is one of the last two. Classes of the mapping that have no pictures keep their number; a note
// counts them.
//
// Boxes: those of LOC_<split>_solution.csv where that is there, else of the XML files (which tell sizes too, but are
// half a million to read in train). Pixels count from 0, corners are inclusive; taken as they are, but that degenerate
// ones are dropped and negative corners cut to 0. Several a picture are usual; 58 % of train has none. The class of a
// train picture is its folder; a box of another class is dropped, one whose name is no WNID ("Scottish_deerhound")
// kept.
//
// Labels of val: its folders, else the boxes, else a list (ilsvrc_lists.h): imagenet_2012_validation_synset_labels.txt,
// ILSVRC20xx_[clsloc_]validation_ground_truth.txt, val_labels.txt or val.txt. Pictures without one are left out. Where
// there is no val/ folder, the pictures are those of LOC_val_solution.csv: enough to score maps.
//
// Lists are looked for in the root, in val/, in devkit/data/ and in ILSVRC20xx_devkit[_t12]/data/ of the root, and for
// Kaggle's tree also in the folder that holds ILSVRC/. ILSVRC20xx_clsloc_validation_blacklist.txt among them sets
// Sample::blacklisted; a note tells how many, or that there is no such list.
//
// Ids are "train/<WNID>/..JPEG" and "val/..JPEG", so Dataset::root is Data/CLS-LOC/ in Kaggle's tree. Samples are
// sorted by class and file name in train, by file name in val (by class first if it has folders). One listing a folder,
// no look at any single picture.
#pragma once

#include "acol/data/dataset.h"

namespace acol {

// True for Kaggle's tree or one of its lists in root; for val/ILSVRC2012_val_*, flat or in folders called by WNIDs,
// unless there is val/boxes.csv or val_masks/ (folder.h).
bool is_ilsvrc_layout(const std::filesystem::path& root);

// split: "train", "val" or "all" (train, then val); "test" has no labels and is an Error. Further Errors: no picture of
// the split; a folder of train/ that is a WNID the mapping lacks; val without labels; a damaged list (file and line) or
// XML file; in a CSV, a picture twice.
Dataset open_ilsvrc(const std::filesystem::path& root, const std::string& split);

}  // namespace acol
