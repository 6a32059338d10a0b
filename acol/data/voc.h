// Folders as Pascal VOC has them, for a set of your own that was annotated with a program that writes such:
//
//     JPEGImages/<name>.jpg      or another ending of folder.h
//     Annotations/<name>.xml     see voc_xml.h; pixels count from 1, corners are inclusive
//     ImageSets/Main/<split>.txt `name` a line, more words after it are passed over; train, val, trainval, test, ..
//     classes.txt                optional: a class a line, in label order
//
// Boxes are shifted to origin 0 and cut to the <size> in the file. Objects marked difficult or truncated are objects.
//
// Localization here asks where *the* object of a class is, so a picture with objects of several classes becomes one
// sample for each class in it, with the boxes of that class alone: same id, different label, in label order. CorLoc is
// counted the same way. Training sees such a picture under each of its labels; a note tells how many there are.
//
// Labels: classes.txt where it is there, else all names in Annotations/, sorted bytewise; so they are the same for all
// splits. Samples are in the order of the split's list.
#pragma once

#include "acol/data/dataset.h"

namespace acol {

// True if root has JPEGImages/ and Annotations/.
bool is_voc_layout(const std::filesystem::path& root);

// split: a list's name, or "all": every annotated picture, sorted. Without ImageSets/Main/ there is only "all", which
// "train" then means too.
// Error: a damaged XML file (voc_xml.h), no picture left; with file and line: a class twice in classes.txt or not in
// UTF-8, a name twice in a list, a name that has no XML file; an object of a class that classes.txt lacks. Pictures
// without objects, XML files without a picture, degenerate boxes and boxes that were cut are counted in notes.
Dataset open_voc(const std::filesystem::path& root, const std::string& split);

}  // namespace acol
