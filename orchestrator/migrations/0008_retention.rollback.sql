drop index releases_artifact;
alter table releases drop column artifact_deleted;
