// acol data: what a data set is taken for, what is in it, and everything that is wrong with it.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "acol/data/caltech256.h"
#include "acol/data/inspect.h"
#include "acol/data/layouts.h"
#include "acol/data/listing.h"
#include "command.h"
#include "interrupt.h"
#include "progress.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

struct Options : DataOptions {
  std::vector<std::string> splits;
  bool quick = false, decode = false, same_content = false, classes = false, all = false;
  fs::path json, write_split;
  Caltech256Options caltech;
  ComputeOptions compute;
};

struct Split {
  std::string name;
  Dataset data;
  Inspection inspection;
};

// 1,281,167
std::string grouped(std::size_t value) {
  std::string text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

// A row of a table: the first word to the left, the others to the right.
std::string row(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::size_t width = i == 0 ? 10 : 11;
    const std::string gap(cells[i].size() < width ? width - cells[i].size() : 1, ' ');
    line += i == 0 ? cells[i] + gap : gap + cells[i];
  }
  return line + "\n";
}

std::string counts_table(const std::vector<Split>& splits) {
  std::string text =
      row({"split", "pictures", "with box", "boxes", "with mask", "classes", "min/class", "median", "max/class"});
  for (const Split& split : splits) {
    const Inspection& found = split.inspection;
    std::vector<std::size_t> counts = found.a_class;
    std::sort(counts.begin(), counts.end());
    const auto used = static_cast<std::size_t>(
        std::count_if(counts.begin(), counts.end(), [](std::size_t count) { return count > 0; }));
    const bool any = !counts.empty();
    text += row({split.name, grouped(split.data.samples.size()), grouped(found.with_box), grouped(found.boxes),
                 grouped(found.with_mask), grouped(used), any ? grouped(counts.front()) : "-",
                 any ? grouped(counts[counts.size() / 2]) : "-", any ? grouped(counts.back()) : "-"});
  }
  return text;
}

std::string classes_table(const std::vector<Split>& splits) {
  std::vector<std::string> head{"label"};
  for (const Split& split : splits) head.push_back(split.name);
  std::string text = "\n" + row(head);
  const Dataset& first = splits.front().data;
  for (std::size_t label = 0; label < first.class_ids.size(); ++label) {
    std::vector<std::string> cells{std::to_string(label)};
    for (const Split& split : splits) {
      const std::vector<std::size_t>& counts = split.inspection.a_class;
      cells.push_back(label < counts.size() ? grouped(counts[label]) : "-");
    }
    std::string line = row(cells);
    line.insert(line.size() - 1,
                "   " + first.class_ids[label] +
                    (first.class_names[label] == first.class_ids[label] ? "" : " (" + first.class_names[label] + ")"));
    text += line;
  }
  return text;
}

std::string pictures_line(const Split& split, bool decoded) {
  const Inspection& found = split.inspection;
  std::string text = grouped(found.read) + (decoded ? " decoded: " : " headers read: ");
  for (const auto& [format, count] : found.formats)
    text += (text.ends_with(": ") ? "" : ", ") + grouped(count) + " " + format;
  const auto range = [](int least, int most) {
    return least == most ? std::to_string(least) : message(least, " to ", most);
  };
  text +=
      ", " + range(found.min_width, found.max_width) + " wide, " + range(found.min_height, found.max_height) + " high";
  if (found.grey > 0) text += ", " + grouped(found.grey) + " grey";
  if (found.cmyk > 0) text += ", " + grouped(found.cmyk) + " CMYK";
  return text;
}

std::string finding_text(const std::string& split, const Finding& finding, bool all) {
  const std::size_t shown = all ? finding.cases.size() : std::min<std::size_t>(finding.cases.size(), 5);
  const bool bare = finding.cases.size() == 1 && finding.cases.front().empty();
  std::string text = (finding.fatal ? "FATAL  " : "note   ") + (split.empty() ? "" : split + ": ") + finding.what +
                     (bare ? "" : ": " + grouped(finding.cases.size())) + "\n";
  for (std::size_t i = 0; i < shown && !bare; ++i) text += "         " + finding.cases[i] + "\n";
  if (shown < finding.cases.size())
    text += "         and " + grouped(finding.cases.size() - shown) + " more (--all, or --json FILE)\n";
  return text;
}

nlohmann::ordered_json finding_json(const std::string& split, const Finding& finding) {
  nlohmann::ordered_json json{{"split", split}, {"fatal", finding.fatal}, {"what", finding.what}};
  json["cases"] = nlohmann::ordered_json::array();
  for (const std::string& one : finding.cases)
    if (!one.empty()) json["cases"].push_back(one);
  return json;
}

nlohmann::ordered_json split_json(const Split& split) {
  const Inspection& found = split.inspection;
  nlohmann::ordered_json json{{"split", split.name},          {"pictures", split.data.samples.size()},
                              {"with_box", found.with_box},   {"boxes", found.boxes},
                              {"with_mask", found.with_mask}, {"masks", found.masks},
                              {"read", found.read},           {"grey", found.grey},
                              {"cmyk", found.cmyk},           {"formats", found.formats}};
  json["classes"] = nlohmann::ordered_json::array();
  for (std::size_t label = 0; label < found.a_class.size(); ++label)
    json["classes"].push_back({{"label", label},
                               {"id", split.data.class_ids[label]},
                               {"name", split.data.class_names[label]},
                               {"pictures", found.a_class[label]}});
  return json;
}

// Reads and inspects a split; what keeps it from being read is a finding, too.
void add_split(const Options& options, const std::string& name, std::vector<Split>& splits,
               std::vector<std::pair<std::string, Finding>>& findings) {
  std::vector<std::string> faults;
  Split split{name, {}, {}};
  try {
    split.data = open_quietly(options, name, &faults);
  } catch (const Error& error) {
    findings.push_back({name, {true, error.what(), {""}}});
    return;
  }
  if (!faults.empty()) findings.push_back({name, {true, "damaged lines in the lists", faults}});
  InspectOptions how;
  how.depth = options.quick ? InspectDepth::lists : options.decode ? InspectDepth::decode : InspectDepth::headers;
  how.same_content = options.same_content;
  how.stop_requested = interrupted;
  {
    Progress progress("check " + name);
    how.progress = progress.callback();
    split.inspection = inspect(split.data, how);
  }
  for (const Finding& finding : split.inspection.findings) findings.emplace_back(name, finding);
  for (const Split& other : splits)
    if (Finding shared = shared_pictures(other.data, split.data); !shared.cases.empty())
      findings.emplace_back("", std::move(shared));
  splits.push_back(std::move(split));
}

int run_data(const Options& options) {
  options.compute.use();
  if (!options.json.empty()) prepare_output_file(options.json);
  const Layout& layout = layout_of(options.data, options.layout);
  if (!options.write_split.empty()) {
    if (layout.name != std::string("caltech256"))
      throw UsageError("--write-split is for caltech256: " + std::string(layout.name) + " has splits of its own");
    prepare_output_file(options.write_split);
    std::cout << options.write_split.string() << ": "
              << write_caltech256_split(options.data, options.caltech, options.write_split) << "\nAs "
              << (options.data / "acol_split.txt").string() << " it is the split that every command uses.\n";
    return exit_done;
  }
  const std::vector<std::string> names = options.splits.empty() ? layout.splits(options.data) : options.splits;
  check(!names.empty(), "data set ", options.data.string(), ": looks like ", layout.name,
        ", but no split of it is there; give --split");

  std::vector<Split> splits;
  std::vector<std::pair<std::string, Finding>> findings;
  for (const std::string& name : names) add_split(options, name, splits, findings);
  std::stable_partition(findings.begin(), findings.end(), [](const auto& one) { return one.second.fatal; });
  const auto fatal = static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [](const auto& one) { return one.second.fatal; }));

  std::cout << "data       " << options.data.string() << "\nlayout     " << layout.name << ": " << layout.what << "\n";
  if (!splits.empty()) {
    const Dataset& first = splits.front().data;
    std::cout << "pictures   " << first.root.string() << "\nclasses    " << first.classes() << ", "
              << first.class_ids.front() << " to " << first.class_ids.back() << "\n\n"
              << counts_table(splits);
    if (options.classes) std::cout << classes_table(splits);
    const bool any_read =
        std::any_of(splits.begin(), splits.end(), [](const Split& s) { return s.inspection.read > 0; });
    if (any_read || options.quick) std::cout << "\n";
    for (const Split& split : splits)
      if (split.inspection.read > 0) std::cout << row({split.name, pictures_line(split, options.decode)});
    if (options.quick) std::cout << "--quick: the lists alone; no picture was looked for\n";
  }
  if (!findings.empty()) std::cout << "\n";
  for (const auto& [split, finding] : findings) std::cout << finding_text(split, finding, options.all);
  std::cout << "\n"
            << (fatal > 0 ? counted(fatal, "fatal problem", "fatal problems") : "nothing fatal") << ", "
            << counted(findings.size() - fatal, "note", "notes") << "\n";

  if (!options.json.empty()) {
    nlohmann::ordered_json json{{"data", options.data.string()}, {"layout", layout.name}, {"fatal", fatal}};
    json["splits"] = nlohmann::ordered_json::array();
    for (const Split& split : splits) json["splits"].push_back(split_json(split));
    json["findings"] = nlohmann::ordered_json::array();
    for (const auto& [split, finding] : findings) json["findings"].push_back(finding_json(split, finding));
    // A path need not be UTF-8; JSON has to be.
    write_file_atomically(options.json, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return fatal > 0 ? exit_failure : exit_done;
}

}  // namespace

Command add_data(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("data", "look at a data set: what it is taken for, counts, all problems");
  add_data_options(*app, *options, true);
  app->add_option("--split", options->splits, "only these; else all that are there")->type_name("NAME");
  CLI::Option* quick = app->add_flag("--quick", options->quick, "the lists alone: pictures are not looked for");
  app->add_flag("--decode", options->decode, "decode every picture, not only its header")->excludes(quick);
  app->add_flag("--same-content", options->same_content, "find pictures with the same bytes; reads every file")
      ->excludes(quick);
  app->add_flag("--classes", options->classes, "print the count of every class");
  app->add_flag("--all", options->all, "print every case of a problem, not the first five");
  app->add_option("--json", options->json, "write everything there, as JSON")->type_name("FILE");
  CLI::Option* write_split =
      app->add_option("--write-split", options->write_split,
                      "only write the split of Caltech-256, drawn from a seed; as acol_split.txt in the data set it is "
                      "the one that train, eval and all else use")
          ->type_name("FILE");
  app->add_option("--train-per-class", options->caltech.train_per_class, "with --write-split: pictures a class")
      ->capture_default_str()
      ->check(at_least(1))
      ->needs(write_split);
  app->add_option("--split-seed", options->caltech.seed, "with --write-split: what to draw from")
      ->capture_default_str()
      ->needs(write_split);
  add_threads_option(*app, options->compute);
  std::string known = "Layouts:\n";
  for (const Layout& layout : layouts()) {
    std::string name = layout.name;
    name.resize(16, ' ');
    known += "  " + name + layout.what + "; known by " + layout.known_by + "\n";
  }
  app->footer(known +
              "Exit status 1 if a problem is fatal: results would be wrong, or pictures left out. Long lists are kept\n"
              "in $ACOL_CACHE (else ~/.cache/acol) and read again when a folder changes; ACOL_CACHE=off: never.");
  return {app, [options] { return run_data(*options); }};
}

}  // namespace acol
