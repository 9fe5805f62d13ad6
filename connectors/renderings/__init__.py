"""What DICOM results show, drawn without a viewer: presentation states, reports, segmentations, captures."""
