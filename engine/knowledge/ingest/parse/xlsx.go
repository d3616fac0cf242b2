package parse

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/xuri/excelize/v2"

	"flametree/engine/fault"
)

// partInMemory is how long a part of a workbook may be to be kept in memory;
// longer ones are unpacked into the folder for temporary files.
const partInMemory = 4 << 20

// readXLSX reads the values of all sheets that are not hidden. A sheet is a
// section, or several of the same heading when it is long.
func readXLSX(ctx context.Context, in Input, sink Sink) error {
	return workbook(in, func(f *excelize.File) error {
		if p, err := f.GetDocProps(); err == nil && p != nil && p.Title != "" {
			sink.Title(clip(oneLine(p.Title), 255))
		}
		for _, sheet := range f.GetSheetList() {
			if seen, err := f.GetSheetVisible(sheet); err == nil && !seen {
				sink.Warn(fmt.Sprintf("sheet %q is hidden and was left out: show it to have it read", clip(sheet, 100)))
				continue
			}
			b := builder{sink: sink, heading: clip(oneLine(sheet), 300)}
			t := tabler{b: &b}
			if err := eachRow(ctx, f, sheet, t.row); err != nil {
				return err
			}
			if err := b.flush(); err != nil {
				return err
			}
		}
		return nil
	})
}

// firstSheet gives the rows of the first sheet that has any.
func firstSheet(ctx context.Context, in Input, row func([]string) error) error {
	return workbook(in, func(f *excelize.File) error {
		for _, sheet := range f.GetSheetList() {
			n := 0
			err := eachRow(ctx, f, sheet, func(cells []string) error {
				if len(cells) == 0 {
					return nil
				}
				n++
				return row(cells)
			})
			if err != nil || n > 0 {
				return err
			}
		}
		return nil
	})
}

// workbook opens a workbook and closes it. The library may give up in any way.
func workbook(in Input, read func(*excelize.File) error) (err error) {
	if _, err := openArchive(in); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the workbook is damaged: save it again and upload it anew: %w", fault.Invalid)
		}
	}()
	dir := in.Dir
	if dir == "" {
		dir = os.TempDir()
	}
	opt := excelize.Options{UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: partInMemory, TmpDir: dir}
	var f *excelize.File
	if in.Path != "" { // the other way keeps the whole file in memory
		f, err = excelize.OpenFile(in.Path, opt)
	} else {
		f, err = excelize.OpenReader(in.reader(), opt)
	}
	if err != nil {
		return fmt.Errorf("the workbook is damaged (%w): save it again and upload it anew: %w", err, fault.Invalid)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return read(f)
}

func eachRow(ctx context.Context, f *excelize.File, sheet string, row func([]string) error) (err error) {
	rows, err := f.Rows(sheet)
	if err != nil {
		return fmt.Errorf("sheet %q is damaged (%w): save the file again and upload it anew: %w", clip(sheet, 100), err, fault.Invalid)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for n := 1; rows.Next(); n++ {
		cells, err := rows.Columns()
		if err != nil {
			return fmt.Errorf("sheet %q, row %d is damaged (%w): %w", clip(sheet, 100), n, err, fault.Invalid)
		}
		if len(cells) > maxColumns {
			return fmt.Errorf("sheet %q, row %d has more than %d columns: %w", clip(sheet, 100), n, maxColumns, fault.Invalid)
		}
		if err := row(cells); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := rows.Error(); err != nil {
		return fmt.Errorf("sheet %q is damaged (%w): %w", clip(sheet, 100), err, fault.Invalid)
	}
	return nil
}
