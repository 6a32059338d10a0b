// One annotation file as Pascal VOC and ILSVRC have it:
//
//     <annotation>
//       <filename>..</filename>                             not read: ILSVRC writes "%s" into many
//       <size> <width>500</width> <height>375</height> .. </size>
//       <object>                                            any number
//         <name>n02099601</name>                            ILSVRC: a WNID, in a few files a word instead
//         <bndbox> <xmin>..</xmin> <ymin>..</ymin> <xmax>..</xmax> <ymax>..</ymax> </bndbox>
//       </object>
//     </annotation>
//
// Corners are inclusive. Pascal VOC counts pixels from 1, ILSVRC from 0. What belongs to parts of objects, and all
// other elements (pose, truncated, difficult, ..), is passed over.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "acol/data/box.h"

namespace acol {

struct VocObject {
  std::string name;
  // Inclusive corners, origin 0, as written: xmax <= xmin and corners outside the picture occur.
  Box box;
};

struct VocAnnotation {
  std::string name;           // of the picture, without ending: the XML file's own
  int width = 0, height = 0;  // 0 where the file does not say, or not sensibly
  std::vector<VocObject> objects;
};

// origin: the number of the first pixel, 1 (Pascal VOC) or 0 (ILSVRC). Fractions, which some programs write, are
// rounded to the nearest pixel. An object with several <bndbox> counts as several objects.
// Error, in one line with the path, and the line where the XML itself is broken: no such file, not XML, no
// <annotation>, an object without a name (in UTF-8) or box, a coordinate that is no number or beyond +-1,000,000.
VocAnnotation read_voc_xml(const std::filesystem::path& file, int origin);

// Names, without ".xml", of the annotation files in a folder, sorted bytewise. Empty if there is no such folder.
std::vector<std::string> annotations_in(const std::filesystem::path& folder);

}  // namespace acol
