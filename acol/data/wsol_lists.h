// The lists of wsolevaluation (Choe et al., CVPR 2020): its metadata/<CUB|ILSVRC|OpenImages>, over a folder of
// pictures.
//
//     <split>/image_ids.txt     a path under the image root a line: the samples, in this order
//     <split>/class_labels.txt  path,label           labels from 0
//     <split>/image_sizes.txt   path,width,height    may be empty or absent (OpenImages)
//     <split>/localization.txt  path,x0,y0,x1,y1     several lines a picture; inclusive corners, origin 0; or
//                               path,mask,ignore     paths under the mask root; `ignore` on a picture's first line only
//                                                    may be absent or empty (train)
//     <split>/image_ids_proxy.txt                    optional: fewer pictures, to search settings with (train)
//
// (The names of variables in wsolevaluation say x0,x1,y0,y1; its files have x0,y0,x1,y1.) The last line may lack its
// end. Boxes are taken as they are; the lists have been clipped to the pictures when they were made.
//
// Class ids: the lists have numbers only. Where each label has one folder of its own (CUB: 001.Black_footed_Albatross,
// ILSVRC's train: n01440764), the folder's name is the id, else the number is. All splits of a metadata folder get the
// same ids: they come from the first of train, test, val that tells them.
#pragma once

#include "acol/data/dataset.h"

namespace acol {

// True if `metadata` holds a split with image_ids.txt and class_labels.txt, or is such a split itself.
bool is_wsol_metadata(const std::filesystem::path& metadata);

// metadata: the folder that holds <split>/, or that folder itself (then `split` is its name, or empty). split: "train",
// "val", "test", "all" (those of the three that are there, in this order), or "train_proxy" for image_ids_proxy.txt.
// image_root empty: the metadata folder. mask_root empty: the image root. No picture and no mask is looked for.
//
// Error, with file and line: a path twice in image_ids.txt, or one that is absolute or leads out by ".."; a picture
// without a label or with two; a line that is not as above; a box that is not 0 <= x0 <= x1, 0 <= y0 <= y1; a size
// below 1 or two sizes; boxes and masks in one list; an ignore mask missing or given twice. Lines about pictures that
// are not in image_ids.txt, and pictures without a size, box or mask where others have one, are counted in notes.
// faults not null: each Error about a line goes there instead, and the line is passed over.
Dataset open_wsol_lists(const std::filesystem::path& metadata, const std::string& split,
                        const std::filesystem::path& image_root, const std::filesystem::path& mask_root,
                        std::vector<std::string>* faults = nullptr);

}  // namespace acol
