# SPDX-License-Identifier: GPL-2.0
#
# What procmap(1) promises of its JSON Lines, for jq -R -n -e: true if there is a
# line, and each is one object with the members of the manual and no others.

def is_text: type == "string";
def is_text_or_null: . == null or is_text;
def is_hex: is_text and test("^([0-9a-f]{2})+$");
def is_address: is_text and test("^0x[0-9a-f]{1,16}$");
def only($known): keys - $known == [];

# A path, and its bytes if it is not UTF-8
def has_path($key):
	has($key) and (.[$key] | is_text_or_null) and
	(if has($key + "_hex")
	 then (.[$key] | contains("\ufffd")) and (.[$key + "_hex"] | is_hex)
	 else true end);

def mapping_keys: ["start", "end", "perms", "offset", "dev", "inode",
	"page_size", "build_id", "path", "path_hex", "path_too_long"];
def lookup_keys: ["address", "found", "file", "file_hex", "file_address",
	"frames"];

def is_mapping:
	all(.start, .end, .offset; is_address) and
	(.perms | test("^[r-][w-][x-][sp]$")) and
	(.dev | test("^[0-9a-f]{2,}:[0-9a-f]{2,}$")) and
	(.inode | type == "number") and
	(.page_size | type == "number" and . >= 4096) and
	(.build_id | . == null or is_hex) and
	has_path("path") and
	(if has("path_too_long")
	 then .path_too_long == true and .path == null else true end);

def is_frame:
	only(["function", "source"]) and
	has("function") and (.function | is_text_or_null) and
	has("source") and (.source | . == null or test(":[1-9][0-9]*$"));

def has_file:
	if has("file") then
		has_path("file") and has("file_address") and
		(.file_address | . == null or is_address) and
		(.file == null) == (.file_address == null) and
		all(.frames[]?; is_frame)
	else only(["address", "found"] + mapping_keys) end;

def is_line:
	type == "object" and
	if has("text") then only(["text"]) and (.text | is_text)
	elif has("address") then
		(.address | is_address) and
		if .found == true
		then only(lookup_keys + mapping_keys) and is_mapping and has_file
		else .found == false and only(["address", "found"]) end
	else only(mapping_keys) and is_mapping end;

[inputs | fromjson | is_line] | length > 0 and all
